/*
 * A stand-in for the service control that Samba compiles out: every service of "svcctl list" refuses to be
 * controlled there. Preloaded into Samba's servers, it fills in the table that rpcd_classic exports for it; what
 * goes over the wire, and who may do what, stays Samba's own.
 *
 * A service is a folder $SERVICES/NAME with small files, which the test reads and writes:
 *
 *   state    stopped, starting, stopping, running
 *   conduct  prompt; refuses: a stop or start fails; hangs: it stays pending; denied: not even an admin may
 *   start    number of the start type, as Windows has it
 *   needs    names of services, with slashes between them
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  ACCESS_DENIED = 5,
  ALREADY_RUNNING = 1056,
  DISABLED = 1058,
  CANNOT_ACCEPT_CONTROL = 1061,
  NOT_ACTIVE = 1062,
  NOT_STARTED = 1053,
};

static const char *const states[] = {"", "stopped", "starting", "stopping", "running"};
enum { STOPPED = 1, STARTING, STOPPING, RUNNING };

/* SERVICE_STATUS */
struct status {
  uint32_t type, state, controls, win32_exit, service_exit, checkpoint, wait_hint;
};

/* SERVICE_CONTROL_OPS of source3/services/services.h */
struct operations {
  uint32_t (*stop)(const char *service, struct status *status);
  uint32_t (*start)(const char *service);
  uint32_t (*status)(const char *service, struct status *status);
};

/* QUERY_SERVICE_CONFIG of librpc/idl/svcctl.idl */
struct config {
  uint32_t type, start, error_control;
  const char *executable, *group;
  uint32_t tag;
  const char *dependencies, *account, *display_name;
};

/* Opens a file of a service's as root: the server has taken on the client's rights. */
static FILE *open_file(const char *service, const char *file, const char *mode)
{
  char path[4096];
  const char *services = getenv("SERVICES");
  if (!services || strchr(service, '/'))
    return NULL;
  snprintf(path, sizeof path, "%s/%s/%s", services, service, file);
  uid_t client = geteuid();
  if (seteuid(0))
    return NULL;
  FILE *opened = fopen(path, mode);
  if (seteuid(client))
    abort();
  return opened;
}

/* Reads a line; the empty one if there is none. */
static const char *line(const char *service, const char *file, char *buffer, int size)
{
  FILE *opened = open_file(service, file, "r");
  if (!opened || !fgets(buffer, size, opened))
    *buffer = 0;
  if (opened)
    fclose(opened);
  buffer[strcspn(buffer, "\n")] = 0;
  return buffer;
}

static int conducts(const char *service, const char *conduct)
{
  char buffer[32];
  return !strcmp(line(service, "conduct", buffer, sizeof buffer), conduct);
}

static uint32_t state(const char *service)
{
  char buffer[32];
  line(service, "state", buffer, sizeof buffer);
  for (uint32_t number = STARTING; number <= RUNNING; number++)
    if (!strcmp(buffer, states[number]))
      return number;
  return STOPPED;
}

static void become(const char *service, uint32_t number)
{
  FILE *opened = open_file(service, "state", "w");
  if (opened) {
    fprintf(opened, "%s\n", states[number]);
    fclose(opened);
  }
}

static uint32_t get_status(const char *service, struct status *status)
{
  memset(status, 0, sizeof *status);
  status->type = 0x10;
  status->state = state(service);
  status->controls = status->state == RUNNING ? 5 : 0;
  return 0;
}

static uint32_t stop(const char *service, struct status *status)
{
  uint32_t before = state(service), result = 0;
  if (conducts(service, "denied"))
    result = ACCESS_DENIED;
  else if (before == STOPPED)
    result = NOT_ACTIVE;
  else if (before != RUNNING || conducts(service, "refuses"))
    result = CANNOT_ACCEPT_CONTROL;
  else
    become(service, conducts(service, "hangs") ? STOPPING : STOPPED);
  get_status(service, status);
  return result;
}

static uint32_t start(const char *service)
{
  char buffer[32];
  if (conducts(service, "denied"))
    return ACCESS_DENIED;
  if (state(service) != STOPPED)
    return ALREADY_RUNNING;
  if (!strcmp(line(service, "start", buffer, sizeof buffer), "4"))
    return DISABLED;
  if (conducts(service, "refuses"))
    return NOT_STARTED;
  become(service, conducts(service, "hangs") ? STARTING : RUNNING);
  return 0;
}

/* Samba asks for the size of a configuration before it sends it: the place to add what it has no notion of. */
size_t ndr_size_QUERY_SERVICE_CONFIG(struct config *config, int flags)
{
  static char needs[1024];
  static size_t (*samba)(const struct config *, int);
  char number[32];
  if (!samba)
    samba = (size_t (*)(const struct config *, int))dlsym(RTLD_NEXT, "ndr_size_QUERY_SERVICE_CONFIG");
  const char *service = config->executable ? strrchr(config->executable, '/') : NULL;
  if (service) {
    if (*line(service + 1, "needs", needs, sizeof needs))
      config->dependencies = needs;
    if (*line(service + 1, "start", number, sizeof number))
      config->start = (uint32_t)atoi(number);
  }
  return samba(config, flags);
}

__attribute__((constructor)) static void fill_in(void)
{
  struct operations *table = dlsym(RTLD_DEFAULT, "rcinit_svc_ops");
  if (table)
    *table = (struct operations){stop, start, get_status};
}
