/* Makes the flushes of PostgreSQL, and of nothing else, take longer: what a cloud's disk does.
 * The flush itself still happens. BENCH_FSYNC_DELAY_US says how much longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long delay_us;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void)
{
    char name[32] = {0};
    const char *setting = getenv("BENCH_FSYNC_DELAY_US");
    FILE *comm = fopen("/proc/self/comm", "r");
    if (comm) {
        if (fgets(name, sizeof name, comm) && strncmp(name, "postgres", 8) == 0 && setting)
            delay_us = atol(setting);
        fclose(comm);
    }
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
}

static void wait_longer(void)
{
    struct timespec left = {delay_us / 1000000, (delay_us % 1000000) * 1000};
    int error = errno;
    while (delay_us > 0 && nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
    errno = error;
}

int fsync(int fd)
{
    wait_longer();
    return real_fsync(fd);
}

int fdatasync(int fd)
{
    wait_longer();
    return real_fdatasync(fd);
}
