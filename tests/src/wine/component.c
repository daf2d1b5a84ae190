/* A COM server that registers itself for tests, in two versions: VERSION is set as it is compiled.
 *
 * It adds a line to C:\\components.log: "+VERSION" when it is registered, "-VERSION" when it is no more; and a value of the
 * registry says which version is registered. With FAILS it refuses to be registered, and then has changed nothing.
 */
#include <windows.h>
#include <stdio.h>

static const char key[] = "SOFTWARE\\Microsoft\\SMS\\qfe component";

static void record(char sign)
{
    char line[16];
    DWORD written;
    int length = snprintf(line, sizeof line, "%c%d\n", sign, VERSION);
    HANDLE file =
        CreateFileA("C:\\components.log", FILE_APPEND_DATA, FILE_SHARE_READ, NULL, OPEN_ALWAYS, 0, NULL);
    WriteFile(file, line, length, &written, NULL);
    CloseHandle(file);
}

__declspec(dllexport) HRESULT WINAPI DllRegisterServer(void)
{
    DWORD version = VERSION;
#ifdef FAILS
    return E_FAIL;
#endif
    record('+');
    return RegSetKeyValueA(HKEY_LOCAL_MACHINE, key, "Version", REG_DWORD, &version, sizeof version) ? E_FAIL : S_OK;
}

__declspec(dllexport) HRESULT WINAPI DllUnregisterServer(void)
{
    record('-');
    return RegDeleteKeyValueA(HKEY_LOCAL_MACHINE, key, "Version") ? E_FAIL : S_OK;
}
