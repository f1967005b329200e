/* Tells the system what memory of this process it may have back, and what is to have large pages. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* dl_iterate_phdr, MADV_HUGEPAGE */
#include "base/system.h"

#include <link.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sys/mman.h>
#include <unistd.h>

/* Compilers have tens of megabytes of code and tables; nobody else is worth the page faults. */
enum { LARGE = 8 << 20 };

/* Read-only pages of a file are the same when they are read again. */
static int drop_pages(struct dl_phdr_info *library, size_t size, void *payload)
{
    const uintptr_t page = *(const uintptr_t *)payload;
    (void)size;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) == 0 &&
            segment->p_filesz >= LARGE) {
            const uintptr_t start = (library->dlpi_addr + segment->p_vaddr) & ~(page - 1);
            const uintptr_t end =
                (library->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~(page - 1);
            (void)madvise((void *)start, end - start, MADV_DONTNEED);
        }
    }
    return 0;
}

void rv_release_memory(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
    (void)dl_iterate_phdr(drop_pages, &page);
}

void rv_prefer_large_pages(void *memory, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    static const uintptr_t large = (uintptr_t)2 << 20;
    const uintptr_t start = ((uintptr_t)memory + large - 1) & ~(large - 1);
    const uintptr_t end = ((uintptr_t)memory + bytes) & ~(large - 1);
    if (end > start) {
        (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
    }
#else
    (void)memory;
    (void)bytes;
#endif
}
