/* Gives a plain file what a GPIO chip's node answers, so that a program's real GPIO code runs without a chip.
 *
 * Loaded by LD_PRELOAD into the program under test; hw_sim/gpiosim.py is the other side. Every file in $GPIOSIM_DIR is
 * a chip: opened, it answers the three ioctls below (include/uapi/linux/gpio.h, version 2). Modelled after Linux 6.1,
 * drivers/gpio/gpiolib-cdev.c:
 *   GET_LINE    EINVAL for a number that the chip has not; EBUSY while another holds the pin; ENODEV unplugged
 *   SET_VALUES  ENODEV unplugged
 * A process that dies lets go of its pins. Layout of the file: keep in step with gpiosim.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct chip {
    uint64_t edge_ns; /* monotonic: when the pin was turned last */
    uint32_t edges;
    uint32_t level;
    uint32_t holder; /* process */
    uint32_t pin;
    uint32_t gone;
    uint32_t pins;
    char label[32];
};

enum { DESCRIPTORS = 4096 };
static struct chip *lines[DESCRIPTORS]; /* descriptors that hold a pin */

#define LOAD(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define STORE(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELEASE)
#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

static struct chip *chip_of(int fd)
{
    const char *folder = getenv("GPIOSIM_DIR");
    char link[64], path[4096];
    if (!folder || fd < 0) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0 || strncmp(path, folder, strlen(folder))) return NULL;
    void *at = mmap(NULL, sizeof(struct chip), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static int get_line(struct chip *chip, struct gpio_v2_line_request *wanted)
{
    if (LOAD(chip->gone)) return errno = ENODEV, -1;
    if (wanted->num_lines != 1 || wanted->offsets[0] >= LOAD(chip->pins)) return errno = EINVAL, -1;
    if (!(wanted->config.flags & GPIO_V2_LINE_FLAG_OUTPUT)) return errno = EINVAL, -1;
    uint32_t holder = LOAD(chip->holder);
    if (holder && !kill((pid_t)holder, 0)) return errno = EBUSY, -1;
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0 || fd >= DESCRIPTORS) return errno = EMFILE, -1;
    STORE(chip->holder, (uint32_t)getpid());
    STORE(chip->pin, wanted->offsets[0]);
    STORE(chip->level, 0);
    lines[fd] = chip;
    wanted->fd = fd;
    return 0;
}

static int set_values(struct chip *chip, struct gpio_v2_line_values *values)
{
    struct timespec now;
    if (LOAD(chip->gone)) return errno = ENODEV, -1;
    if (!(values->mask & 1)) return 0;
    uint32_t level = (uint32_t)(values->bits & 1);
    if (level == LOAD(chip->level)) return 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    STORE(chip->level, level);
    STORE(chip->edge_ns, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
    __atomic_add_fetch(&chip->edges, 1, __ATOMIC_ACQ_REL);
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
    unsigned word = (unsigned)request;
    if (word == (unsigned)GPIO_V2_LINE_SET_VALUES_IOCTL && fd >= 0 && fd < DESCRIPTORS && lines[fd])
        return set_values(lines[fd], argument);
    if (word != (unsigned)GPIO_V2_GET_LINE_IOCTL && word != (unsigned)GPIO_GET_CHIPINFO_IOCTL)
        return real(fd, request, argument);
    struct chip *chip = chip_of(fd);
    if (!chip) return real(fd, request, argument);
    if (word == (unsigned)GPIO_V2_GET_LINE_IOCTL) return get_line(chip, argument);
    struct gpiochip_info *told = argument;
    memset(told, 0, sizeof *told);
    memcpy(told->label, chip->label, sizeof told->label);
    told->lines = LOAD(chip->pins);
    return 0;
}

int close(int fd)
{
    static int (*real)(int);
    if (!real) real = REAL(int (*)(int), "close");
    if (fd >= 0 && fd < DESCRIPTORS && lines[fd]) {
        STORE(lines[fd]->holder, 0);
        lines[fd] = NULL;
    }
    return real(fd);
}
