/* Input devices and a keyboard gadget made of Unix sockets, so that a program's real device code runs without devices.
 *
 * Loaded by LD_PRELOAD into the program under test; hw_sim/evsim.py is the other side. A socket in the folder $EVSIM_DIR
 * that the program opens as if it were a device is connected to instead (SOCK_SEQPACKET: one packet is one report), and
 * behaves by its name. Everything else goes to the kernel untouched. What is modelled:
 *   event*   EVIOCGVERSION, EVIOCGID, EVIOCGNAME …, EVIOCGBIT (a keyboard), EVIOCGRAB (once; by the file NAME.grab);
 *            the other side's close is ENODEV, as evdev's [drivers/input/evdev.c]
 *   hidraw*  HIDIOCGRDESCSIZE, HIDIOCGRDESC (from the file NAME.desc); the other side's close is EIO [hidraw.c]
 *   hidg*    while the file NAME.down is there, writing is ESHUTDOWN [drivers/usb/gadget/function/f_hid.c]
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/hidraw.h>
#include <linux/input.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FDS = 1024, KEYS = 128 };
enum kind { NOTHING, EVENT, HIDRAW, HIDG };

static struct { enum kind kind; int grabbed; char path[108]; } devices[FDS];

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

static enum kind kind_of(int fd) { return fd >= 0 && fd < FDS ? devices[fd].kind : NOTHING; }

static void beside(int fd, const char *suffix, char *out) { snprintf(out, 128, "%s.%s", devices[fd].path, suffix); }

static enum kind named(const char *path)
{
    const char *folder = getenv("EVSIM_DIR"), *name = strrchr(path, '/');
    struct stat node;
    if (!folder || !name || strncmp(path, folder, strlen(folder)) || strlen(path) >= sizeof devices[0].path)
        return NOTHING;
    if (stat(path, &node) || !S_ISSOCK(node.st_mode)) return NOTHING;
    if (!strncmp(name, "/event", 6)) return EVENT;
    if (!strncmp(name, "/hidraw", 7)) return HIDRAW;
    return strncmp(name, "/hidg", 5) ? NOTHING : HIDG;
}

static int opened(const char *path, int flags, enum kind kind)
{
    int type = SOCK_SEQPACKET | (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0);
    int fd = socket(AF_UNIX, type, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (fd < 0 || fd >= FDS) return errno = EMFILE, -1;
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        close(fd);
        return errno = ENODEV, -1;
    }
    if (flags & O_NONBLOCK) fcntl(fd, F_SETFL, O_NONBLOCK);
    devices[fd].kind = kind;
    devices[fd].grabbed = 0;
    strcpy(devices[fd].path, path);
    return fd;
}

#define OPEN(name)                                                                          \
    int name(const char *path, int flags, ...)                                              \
    {                                                                                       \
        static int (*real)(const char *, int, ...);                                         \
        if (!real) real = REAL(int (*)(const char *, int, ...), #name);                     \
        va_list rest;                                                                       \
        va_start(rest, flags);                                                              \
        mode_t mode = va_arg(rest, mode_t);                                                 \
        va_end(rest);                                                                       \
        enum kind kind = named(path);                                                       \
        return kind ? opened(path, flags, kind) : real(path, flags, mode);                  \
    }

OPEN(open)
OPEN(open64)

static int text(void *out, unsigned size, const char *value)
{
    unsigned length = strlen(value) + 1;
    memcpy(out, value, length < size ? length : size);
    return length < size ? length : size;
}

static int grab(int fd, int wanted)
{
    char path[128];
    beside(fd, "grab", path);
    if (wanted) {
        int file = REAL(int (*)(const char *, int, ...), "open")(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
        if (file < 0) return errno = EBUSY, -1;
        REAL(int (*)(int), "close")(file);
    } else if (unlink(path)) {
        return errno = EINVAL, -1;
    }
    devices[fd].grabbed = wanted;
    return 0;
}

static int event_answer(int fd, unsigned long request, void *argument)
{
    unsigned number = _IOC_NR(request), size = _IOC_SIZE(request);
    switch (number) {
    case 0x01: *(int *)argument = EV_VERSION; return 0;
    case 0x02: *(struct input_id *)argument = (struct input_id){BUS_USB, 0x0c2e, 0x0901, 1}; return 0;
    case 0x06: return text(argument, size, "Simulated scanner");
    case 0x07: return text(argument, size, "usb-sim/input0");
    case 0x08: return text(argument, size, "");
    case 0x90: return grab(fd, argument != NULL);
    }
    memset(argument, 0, size);
    if (number == 0x20) ((unsigned char *)argument)[0] = 1 << EV_SYN | 1 << EV_KEY;
    for (unsigned key = 1; number == 0x21 && key < KEYS; key++) ((unsigned char *)argument)[key / 8] |= 1 << key % 8;
    return size;
}

static int hidraw_answer(int fd, unsigned long request, void *argument)
{
    char path[128];
    unsigned char descriptor[HID_MAX_DESCRIPTOR_SIZE];
    beside(fd, "desc", path);
    FILE *file = fopen(path, "rb");
    if (!file) return errno = EIO, -1;
    int size = fread(descriptor, 1, sizeof descriptor, file);
    fclose(file);
    if (_IOC_NR(request) == 1) *(int *)argument = size;
    else if (_IOC_NR(request) == 2) memcpy(((struct hidraw_report_descriptor *)argument)->value, descriptor, size);
    else return errno = EINVAL, -1;
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    if (!real) real = REAL(int (*)(int, unsigned long, ...), "ioctl");
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (kind_of(fd) == EVENT && _IOC_TYPE(request) == 'E') return event_answer(fd, request, argument);
    if (kind_of(fd) == HIDRAW && _IOC_TYPE(request) == 'H') return hidraw_answer(fd, request, argument);
    return real(fd, request, argument);
}

ssize_t read(int fd, void *data, size_t size)
{
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = REAL(ssize_t (*)(int, void *, size_t), "read");
    ssize_t got = real(fd, data, size);
    enum kind kind = kind_of(fd);
    if (!kind || got > 0 || (got < 0 && errno == EAGAIN)) return got;
    errno = kind == EVENT ? ENODEV : kind == HIDRAW ? EIO : ESHUTDOWN;
    return -1;
}

ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = REAL(ssize_t (*)(int, const void *, size_t), "write");
    if (kind_of(fd) != HIDG) return real(fd, data, size);
    char path[128];
    beside(fd, "down", path);
    if (!access(path, F_OK)) return errno = ESHUTDOWN, -1;
    ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) errno = ESHUTDOWN;
    return sent;
}

int close(int fd)
{
    static int (*real)(int);
    if (!real) real = REAL(int (*)(int), "close");
    if (kind_of(fd)) {
        if (devices[fd].grabbed) grab(fd, 0);
        devices[fd].kind = NOTHING;
    }
    return real(fd);
}
