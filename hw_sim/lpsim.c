/* Gives pseudo terminals what a USB printer's node and a printer gadget's node answer, so that those drivers' real
 * code runs without USB.
 *
 * Loaded by LD_PRELOAD into the program under test; hw_sim/lpsim.py is the other side. Where $LPSIM_DIR holds a file
 * pts-N, the tty /dev/pts/N answers the four ioctls below from that file, mapped and shared, and refuses what the
 * kernel's drivers refuse. Everything else goes to the kernel untouched. Modelled after Linux 6.1, usblp.c and
 * f_printer.c:
 *   open     EBUSY while it is open; ENODEV while there is no host (gadget)
 *   read     EINVAL on a printer that can't speak; ENODEV when unplugged
 *   write    ENODEV when unplugged
 * Words of the file, 32 bits each, then the device id: keep in step with lpsim.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct node {
    uint32_t status;   /* the port's, as the printer has it or as the gadget shows it */
    uint32_t shown;    /* how often the gadget's was set */
    uint32_t gone;     /* unplugged */
    uint32_t deaf;     /* a printer that can't speak */
    uint32_t open;     /* who has it open: one at most */
    uint32_t opens;
    uint32_t mute;     /* a printer that doesn't tell its port's status */
    char id[1024];
};

enum { SLAVES = 4096, SLAVE_MAJOR_FIRST = 136, SLAVE_MAJOR_LAST = 143, /* Documentation/admin-guide/devices.txt */
       GET_STATUS = 0x060b, SET_GADGET = (int)0xc0016722, GET_GADGET = (int)0x80016721, ID_MASK = 0xc000ffff,
       GET_ID = (int)0x80005001 };

static struct node *known[SLAVES];
static unsigned char has[1 << 16]; /* descriptors of ours that hold the one open */

#define LOAD(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define STORE(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELEASE)
#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

static struct node *node_of(int fd)
{
    const char *folder = getenv("LPSIM_DIR");
    struct stat found;
    if (!folder || fd < 0 || fstat(fd, &found) || !S_ISCHR(found.st_mode)) return NULL;
    unsigned number = minor(found.st_rdev), kind = major(found.st_rdev);
    if (kind < SLAVE_MAJOR_FIRST || kind > SLAVE_MAJOR_LAST || number >= SLAVES) return NULL;
    if (known[number]) return known[number];
    char path[4096];
    snprintf(path, sizeof path, "%s/pts-%u", folder, number);
    int file = REAL(int (*)(const char *, int, ...), "open64")(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return NULL;
    void *at = mmap(NULL, sizeof(struct node), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return at == MAP_FAILED ? NULL : (known[number] = at);
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    if (!real) real = REAL(int (*)(int, unsigned long, ...), "ioctl");
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    struct node *node = node_of(fd);
    if (!node) return real(fd, request, argument);
    if (LOAD(node->gone)) return errno = ENODEV, -1;
    unsigned word = (unsigned)request;
    if (word == (unsigned)GET_STATUS && LOAD(node->mute)) return errno = EIO, -1;
    if (word == (unsigned)GET_STATUS) return *(int *)argument = (int)LOAD(node->status), 0;
    if (word == (unsigned)SET_GADGET) {
        STORE(node->status, (unsigned char)(uintptr_t)argument); /* by value, as f_printer.c has it */
        __atomic_add_fetch(&node->shown, 1, __ATOMIC_ACQ_REL);
        return 0;
    }
    if (word == (unsigned)GET_GADGET) return (int)LOAD(node->status); /* so has this */
    if ((word & ID_MASK) == (unsigned)GET_ID) {
        size_t size = strlen(node->id), room = word >> 16 & 0x3fff;
        unsigned char *out = argument;
        if (!size) return errno = EIO, -1;
        if (size > room - 2) size = room - 2;
        out[0] = (unsigned char)((size + 2) >> 8);
        out[1] = (unsigned char)(size + 2);
        memcpy(out + 2, node->id, size);
        return (int)size;
    }
    return real(fd, request, argument);
}

ssize_t read(int fd, void *data, size_t size)
{
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = REAL(ssize_t (*)(int, void *, size_t), "read");
    struct node *node = node_of(fd);
    if (node && LOAD(node->gone)) return errno = ENODEV, -1;
    if (node && LOAD(node->deaf)) return errno = EINVAL, -1;
    return real(fd, data, size);
}

ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = REAL(ssize_t (*)(int, const void *, size_t), "write");
    struct node *node = node_of(fd);
    if (node && LOAD(node->gone)) return errno = ENODEV, -1;
    return real(fd, data, size);
}

int close(int fd)
{
    static int (*real)(int);
    if (!real) real = REAL(int (*)(int), "close");
    if (fd >= 0 && fd < (int)sizeof has && has[fd]) {
        struct node *node = node_of(fd);
        has[fd] = 0;
        if (node) STORE(node->open, 0);
    }
    return real(fd);
}

static int opened(int fd)
{
    static int (*real_close)(int);
    if (!real_close) real_close = REAL(int (*)(int), "close");
    int kept = errno;
    struct node *node = node_of(fd);
    errno = kept;
    if (!node) return fd;
    int refused = LOAD(node->gone) ? ENODEV : __atomic_exchange_n(&node->open, 1, __ATOMIC_ACQ_REL) ? EBUSY : 0;
    if (refused) return real_close(fd), errno = refused, -1;
    __atomic_add_fetch(&node->opens, 1, __ATOMIC_ACQ_REL);
    if (fd < (int)sizeof has) has[fd] = 1;
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
