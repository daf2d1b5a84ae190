/* A service of Windows that behaves as a test wants it, and the program that makes, changes and looks at such services.
 *
 *   service              run by Windows: the service
 *   service COMMAND...   each a word of its own: "create NAME [NEEDED]" makes one, to be started by hand, which states that
 *                        it needs another one; "start NAME" and "stop NAME", each until that is done; "disable NAME",
 *                        "delete NAME"; "state NAME" says what it is. The others say "done", or "error" with its number.
 *
 * Beside the program are the files that a service reads as it starts, all of which may be missing:
 *   NAME.loads     a file that it has loaded as a library while it runs
 *   NAME.conduct   a number: milliseconds that it takes to stop; "refuses": it may not be stopped; "fails": it ends at once
 * It adds a line to services.log beside the program when it runs ("+NAME") and when it rests ("-NAME").
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char name[256];
static char folder[MAX_PATH];
static SERVICE_STATUS_HANDLE handle;
static SERVICE_STATUS status = {SERVICE_WIN32_OWN_PROCESS, SERVICE_START_PENDING, 0, 0, 0, 0, 0};
static HANDLE stop;

static void tell(DWORD state, DWORD accepted)
{
    status.dwCurrentState = state;
    status.dwControlsAccepted = accepted;
    /* How long it takes at most until it tells something else. */
    status.dwWaitHint = 30000;
    SetServiceStatus(handle, &status);
}

static void WINAPI control(DWORD code)
{
    if (code == SERVICE_CONTROL_STOP) {
        tell(SERVICE_STOP_PENDING, 0);
        SetEvent(stop);
    }
}

/* Reads the first line of NAME.ENDING; an empty one where there is none. */
static void line_of(const char *ending, char *line, int size)
{
    char path[2 * MAX_PATH];
    FILE *file;
    line[0] = 0;
    snprintf(path, sizeof path, "%s\\%s.%s", folder, name, ending);
    file = fopen(path, "r");
    if (file == NULL)
        return;
    if (fgets(line, size, file) == NULL)
        line[0] = 0;
    fclose(file);
}

static void record(char sign)
{
    char path[2 * MAX_PATH], line[300];
    DWORD written;
    int length = snprintf(line, sizeof line, "%c%s\n", sign, name);
    HANDLE file;
    snprintf(path, sizeof path, "%s\\services.log", folder);
    /* Nothing but adding: several services may do so at once. */
    file = CreateFileA(path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS, 0, NULL);
    WriteFile(file, line, length, &written, NULL);
    CloseHandle(file);
}

static void WINAPI serve(DWORD count, char **words)
{
    char conduct[64], loads[MAX_PATH];
    HMODULE library = NULL;
    snprintf(name, sizeof name, "%s", words[0]);
    stop = CreateEventA(NULL, TRUE, FALSE, NULL);
    handle = RegisterServiceCtrlHandlerA(name, control);
    line_of("conduct", conduct, sizeof conduct);
    line_of("loads", loads, sizeof loads);
    if (lstrcmpA(conduct, "fails") == 0) {
        status.dwWin32ExitCode = ERROR_GEN_FAILURE;
        tell(SERVICE_STOPPED, 0);
        return;
    }
    if (loads[0])
        library = LoadLibraryExA(loads, NULL, DONT_RESOLVE_DLL_REFERENCES);
    record('+');
    tell(SERVICE_RUNNING, lstrcmpA(conduct, "refuses") == 0 ? 0 : SERVICE_ACCEPT_STOP);
    WaitForSingleObject(stop, INFINITE);
    Sleep(atoi(conduct));
    if (library)
        FreeLibrary(library);
    record('-');
    tell(SERVICE_STOPPED, 0);
}

static int create(SC_HANDLE manager, const char *needed)
{
    char path[MAX_PATH], list[300] = {0};
    GetModuleFileNameA(NULL, path, sizeof path);
    /* The list ends in another zero. */
    snprintf(list, sizeof list - 1, "%s", needed);
    return CreateServiceA(manager, name, name, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS, SERVICE_DEMAND_START,
                          SERVICE_ERROR_NORMAL, path, NULL, NULL, list, NULL, NULL) != NULL;
}

/* Waits half a minute at most until a service is in a state. */
static int reaches(SC_HANDLE service, DWORD state)
{
    int tries;
    for (tries = 0; tries < 1500; tries++) {
        if (!QueryServiceStatus(service, &status))
            return 0;
        if (status.dwCurrentState == state)
            return 1;
        Sleep(20);
    }
    SetLastError(ERROR_SERVICE_REQUEST_TIMEOUT);
    return 0;
}

static int change(SC_HANDLE manager, const char *verb)
{
    static const char *const states[] = {"", "stopped", "starting", "stopping", "running"};
    SC_HANDLE service = OpenServiceA(manager, name, SERVICE_ALL_ACCESS);
    int done = 0;
    if (service == NULL && lstrcmpA(verb, "state") == 0 && GetLastError() == ERROR_SERVICE_DOES_NOT_EXIST) {
        printf("missing\n");
        return 2;
    }
    if (service == NULL)
        return 0;
    if (lstrcmpA(verb, "start") == 0)
        done = StartServiceA(service, 0, NULL) && reaches(service, SERVICE_RUNNING);
    else if (lstrcmpA(verb, "stop") == 0)
        done = ControlService(service, SERVICE_CONTROL_STOP, &status) && reaches(service, SERVICE_STOPPED);
    else if (lstrcmpA(verb, "disable") == 0)
        done = ChangeServiceConfigA(service, SERVICE_NO_CHANGE, SERVICE_DISABLED, SERVICE_NO_CHANGE, NULL, NULL, NULL,
                                    NULL, NULL, NULL, NULL);
    else if (lstrcmpA(verb, "delete") == 0)
        done = DeleteService(service);
    else if (lstrcmpA(verb, "state") == 0 && QueryServiceStatus(service, &status)) {
        printf("%s\n", status.dwCurrentState <= SERVICE_RUNNING ? states[status.dwCurrentState] : "paused");
        CloseServiceHandle(service);
        return 2;
    }
    CloseServiceHandle(service);
    return done;
}

int main(int count, char **words)
{
    SC_HANDLE manager;
    int number, done;
    if (count < 2) {
        SERVICE_TABLE_ENTRYA table[] = {{"", serve}, {NULL, NULL}};
        GetModuleFileNameA(NULL, folder, sizeof folder);
        *strrchr(folder, '\\') = 0;
        return !StartServiceCtrlDispatcherA(table);
    }
    manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    for (number = 1; number < count; number++) {
        char verb[16] = "", needed[256] = "";
        sscanf(words[number], "%15s %255s %255s", verb, name, needed);
        done = lstrcmpA(verb, "create") == 0 ? create(manager, needed) : change(manager, verb);
        if (done == 1)
            printf("done\n");
        else if (done == 0)
            printf("error %lu\n", GetLastError());
    }
    return 0;
}
