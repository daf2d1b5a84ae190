//! The words that the sample programs' strings and names are made of.

use std::sync::LazyLock;

use super::Import;
use crate::prng::Prng;

static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    "the client site to for not could server failed component of file installation is from queue request \
     error logon point record cannot open directory configuration service value registry key and data was \
     status message thread processing update no found timeout waiting account connection machine domain \
     retry already created deleted invalid memory object property list inbox copy share path version \
     handle signal event access denied parameter buffer length name started stopped completed package \
     agent discovery assigned boundary subnet network address security descriptor user password expired \
     system sample schedule interval seconds minutes pending remote local"
        .split_whitespace()
        .collect()
});

const FORMATS: &[&str] = &["%s", "%d", "\"%s\"", "%lu", "0x%08lx", "%hs", "%x"];

const PREFIXES: &[&str] =
    &["", "", "", "~", "Error: ", "Warning: ", "INFO: ", "SOFTWARE\\Sample\\", "inboxes\\", "*** "];

const ENDINGS: &[&str] = &[".", "!", ".\n", "\n", ":"];

const ADVAPI32: &str = "\
    RegCloseKey RegConnectRegistryA RegCreateKeyExA RegDeleteValueA RegEnumKeyExA RegOpenKeyExA \
    RegQueryValueExA RegSetValueExA ReportEventA SetSecurityDescriptorDacl";

const KERNEL32: &str = "\
    CloseHandle CopyFileA CreateEventA CreateFileA CreateThread DeleteCriticalSection DeleteFileA \
    EnterCriticalSection FindClose FindFirstFileA FindNextFileA FormatMessageA FreeLibrary \
    GetComputerNameA GetCurrentThreadId GetLastError GetModuleFileNameA GetPrivateProfileStringA \
    GetProcAddress GetSystemTime GetTickCount HeapAlloc HeapFree InitializeCriticalSection \
    InterlockedDecrement InterlockedIncrement LeaveCriticalSection LoadLibraryA LocalFree MoveFileExA \
    OutputDebugStringA ReadFile ResetEvent SetEvent SetFilePointer SetLastError Sleep \
    WaitForMultipleObjects WaitForSingleObject WriteFile lstrcatA lstrcmpiA lstrcpyA lstrlenA";

const MSVCRT: &str = "\
    _beginthreadex _initterm _itoa _snprintf _stricmp _strnicmp _strupr _vsnprintf atoi fclose fgets \
    fopen free malloc memcmp memcpy memset sprintf strchr strncpy strrchr strstr strtok time";

/// A message, path or key name, as programs of the kind carry.
pub(super) fn sentence(prng: &mut Prng) -> String {
    let mut text = prng.pick_skewed(PREFIXES).to_owned();
    let separator = if text.ends_with('\\') { '\\' } else { ' ' };
    for place in 0..=prng.skewed(11) {
        if place > 0 {
            text.push(separator);
        }
        let word = if place > 1 && prng.chance(14) { prng.pick(FORMATS) } else { prng.pick_skewed(&WORDS) };
        match word.chars().next() {
            Some(first) if place == 0 => {
                text.push(first.to_ascii_uppercase());
                text.extend(word.chars().skip(1));
            }
            _ => text.push_str(word),
        }
    }
    if separator == ' ' && prng.chance(40) {
        text.push_str(prng.pick(ENDINGS));
    }
    text
}

/// A name in the manner of exported functions.
pub(super) fn export_name(stem: &str, prng: &mut Prng) -> String {
    let verb =
        prng.pick(&["Open", "Close", "Query", "Create", "Delete", "Enumerate", "Set", "Reset", "Notify"]);
    let noun =
        prng.pick(&["Queue", "Site", "Client", "Request", "Record", "Session", "Component", "Property"]);
    format!("{stem}{verb}{noun}")
}

/// The imports that every sample program chooses from, grouped by library.
pub(super) fn imports() -> impl Iterator<Item = Import> {
    let of =
        |library, names: &'static str| names.split_whitespace().map(move |name| Import { library, name });
    of("ADVAPI32.dll", ADVAPI32).chain(of("KERNEL32.dll", KERNEL32)).chain(of("MSVCRT.dll", MSVCRT))
}

/// `length` bytes of a message catalogue: zero-terminated sentences, each prefix the same for every length.
///
/// The linker appends it to the initialised data, to bring an image to its exact size.
pub(crate) fn catalogue(stem: &str, length: u32) -> Vec<u8> {
    let length = usize::try_from(length).expect("u32 fits usize");
    let mut prng = Prng::seeded(&[stem, "catalogue"]);
    let mut bytes = Vec::with_capacity(length + 128);
    while bytes.len() < length {
        bytes.extend_from_slice(sentence(&mut prng).as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes.truncate(length);
    bytes
}
