/* Gives pseudo terminals modem lines, so that a program's real serial code runs without a serial port.
 *
 * Loaded by LD_PRELOAD into the program under test; hw_sim/ttysim.py is the other side. Where $TTYSIM_DIR holds a file
 * pts-N, the tty /dev/pts/N answers the modem ioctls from that file, mapped and shared, instead of saying ENOTTY.
 * Everything else goes to the kernel untouched. What is modelled, after Linux's drivers/tty/tty_port.c and tty_io.c:
 *   open      raises DTR and RTS (tty_port_raise_dtr_rts)
 *   TIOCMGET  our lines and the other side's;  TIOCMSET, TIOCMBIS, TIOCMBIC  change ours, drops are remembered
 *   TIOCMIWAIT waits for a change;  TIOCSBRK  counts breaks
 *   TIOCGICOUNT  bytes lost and broken, as the test says
 *   TIOCOUTQ  if asked for: what was written and not yet taken by the wire; a pty's own answer is always 0
 * Words of the file, 32 bits each: keep in step with ttysim.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

struct lines {
    uint32_t shown;    /* TIOCM_ bits that the other side shows: CTS, DSR, CD, RI */
    uint32_t driven;   /* TIOCM_ bits that the program drives: DTR, RTS */
    uint32_t dropped;  /* every line that the program ever let fall */
    uint32_t opens;    /* how often the program opened the tty */
    uint32_t breaks;
    uint32_t counting; /* whether TIOCOUTQ answers written - taken */
    uint32_t written;
    uint32_t taken;
    uint32_t overruns; /* bytes lost on arrival, and broken ones: TIOCGICOUNT */
    uint32_t frames;
};

enum { SLAVES = 4096, SLAVE_MAJOR_FIRST = 136, SLAVE_MAJOR_LAST = 143, /* Documentation/admin-guide/devices.txt */
       OURS = TIOCM_DTR | TIOCM_RTS };

static struct lines *known[SLAVES];

#define LOAD(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

static struct lines *lines_of(int fd)
{
    const char *folder = getenv("TTYSIM_DIR");
    struct stat node;
    if (!folder || fstat(fd, &node) || !S_ISCHR(node.st_mode)) return NULL;
    unsigned number = minor(node.st_rdev), kind = major(node.st_rdev);
    if (kind < SLAVE_MAJOR_FIRST || kind > SLAVE_MAJOR_LAST || number >= SLAVES) return NULL;
    if (known[number]) return known[number];

    char path[4096];
    snprintf(path, sizeof path, "%s/pts-%u", folder, number);
    int file = REAL(int (*)(const char *, int, ...), "open64")(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return NULL;
    void *at = mmap(NULL, sizeof(struct lines), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return at == MAP_FAILED ? NULL : (known[number] = at);
}

static void drive(struct lines *tty, uint32_t lines)
{
    uint32_t before = __atomic_exchange_n(&tty->driven, lines & OURS, __ATOMIC_ACQ_REL);
    __atomic_or_fetch(&tty->dropped, before & ~lines, __ATOMIC_ACQ_REL);
}

static int wait_for_change(struct lines *tty, uint32_t mask)
{
    uint32_t before = LOAD(tty->shown);
    struct timespec pause = {0, 1000000};
    while (!((LOAD(tty->shown) ^ before) & mask))
        if (nanosleep(&pause, NULL)) return errno = EINTR, -1;
    return 0;
}

static int count(struct lines *tty, struct serial_icounter_struct *told)
{
    memset(told, 0, sizeof *told);
    told->tx = (int)LOAD(tty->written);
    told->overrun = (int)LOAD(tty->overruns);
    told->frame = (int)LOAD(tty->frames);
    return 0;
}

static int answer(struct lines *tty, unsigned long request, void *argument)
{
    uint32_t *word = argument;
    switch (request) {
    case TIOCMGET: *word = LOAD(tty->shown) | LOAD(tty->driven); return 0;
    case TIOCMSET: drive(tty, *word); return 0;
    case TIOCMBIS: drive(tty, LOAD(tty->driven) | *word); return 0;
    case TIOCMBIC: drive(tty, LOAD(tty->driven) & ~*word); return 0;
    case TIOCMIWAIT: return wait_for_change(tty, (uint32_t)(uintptr_t)argument);
    case TIOCSBRK: __atomic_add_fetch(&tty->breaks, 1, __ATOMIC_ACQ_REL); return 0;
    case TIOCCBRK: return 0;
    case TIOCGICOUNT: return count(tty, argument);
    default: *word = LOAD(tty->written) - LOAD(tty->taken); return 0; /* TIOCOUTQ */
    }
}

static int is_ours(struct lines *tty, unsigned long request)
{
    switch (request) {
    case TIOCMGET: case TIOCMSET: case TIOCMBIS: case TIOCMBIC: case TIOCMIWAIT: case TIOCSBRK: case TIOCCBRK:
    case TIOCGICOUNT: return 1;
    case TIOCOUTQ: return LOAD(tty->counting) != 0;
    default: return 0;
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    if (!real) real = REAL(int (*)(int, unsigned long, ...), "ioctl");
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    struct lines *tty = lines_of(fd);
    return tty && is_ours(tty, request) ? answer(tty, request, argument) : real(fd, request, argument);
}

ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = REAL(ssize_t (*)(int, const void *, size_t), "write");
    struct lines *tty = lines_of(fd);
    ssize_t wrote = real(fd, data, size);
    if (tty && wrote > 0) __atomic_add_fetch(&tty->written, (uint32_t)wrote, __ATOMIC_ACQ_REL);
    return wrote;
}

static int opened(int fd)
{
    int kept = errno;
    struct lines *tty = fd < 0 ? NULL : lines_of(fd);
    if (tty) {
        __atomic_add_fetch(&tty->opens, 1, __ATOMIC_ACQ_REL);
        drive(tty, OURS);
    }
    errno = kept;
    return fd;
}

/* The mode is read even where none was passed: harmless, and what the C library does. */
#define OPEN(name)                                                                          \
    int name(const char *path, int flags, ...)                                              \
    {                                                                                       \
        static int (*real)(const char *, int, ...);                                         \
        if (!real) real = REAL(int (*)(const char *, int, ...), #name);                     \
        va_list rest;                                                                       \
        va_start(rest, flags);                                                              \
        mode_t mode = va_arg(rest, mode_t);                                                 \
        va_end(rest);                                                                       \
        return opened(real(path, flags, mode));                                             \
    }

OPEN(open)
OPEN(open64)
