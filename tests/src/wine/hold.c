/* A program that has a file open, or loaded as a library is, or holds nothing, until its input ends. */
#include <windows.h>

static HANDLE out;

static void say(const char *text)
{
    DWORD written;
    WriteFile(out, text, lstrlenA(text), &written, NULL);
}

int main(int count, char **words)
{
    char byte;
    DWORD read;
    void *held;
    out = GetStdHandle(STD_OUTPUT_HANDLE);
    if (count != 3)
        return 2;
    if (lstrcmpA(words[1], "open") == 0)
        held = CreateFileA(words[2], GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    else if (lstrcmpA(words[1], "nothing") == 0)
        held = out;
    else
        held = LoadLibraryExA(words[2], NULL, DONT_RESOLVE_DLL_REFERENCES);
    if (held == NULL || held == INVALID_HANDLE_VALUE) {
        say("not held\n");
        return 1;
    }
    say("held\n");
    while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &read, NULL) && read > 0)
        ;
    return 0;
}
