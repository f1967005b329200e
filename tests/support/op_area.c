/* Memory between guard zones: filled before a run, compared after it. */
/* SPDX-License-Identifier: MIT */
#include "support/op_rig.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bytes behind the content; before it lies one alignment step. */
enum { GUARD_BEHIND = 1024 };

/* A quiet NaN that no computation gives: a kernel that reads it shows it, one that writes there
 * changes it. */
static float make_poison(uint32_t number)
{
    const uint32_t bits = 0x7FC0DE00u + number;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static bool same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Where plain index i lies in the memory of t; written apart from rv_tensor_write() on purpose. */
static size_t place_of(const rv_tensor *t, size_t i)
{
    if (t->layout == RV_PLAIN) {
        return i;
    }
    const size_t c = (size_t)t->shape.dim[1], b = (size_t)t->block;
    const size_t pixels = (size_t)t->shape.dim[2] * (size_t)t->shape.dim[3];
    const size_t pixel = i % pixels, channel = i / pixels % c, picture = i / pixels / c;
    return ((picture * ((c + b - 1) / b) + channel / b) * pixels + pixel) * b + channel % b;
}

rv_status rv_area_create(rv_area *a, rv_rig *rig, const char *what, int index, rv_tensor *tensor,
                         size_t bytes)
{
    *a = (rv_area){.what = what, .index = index, .tensor = tensor, .bytes = bytes};
    a->poison = make_poison(++rig->n_areas);
    const size_t before = rv_device_alignment(rig->device);
    RV_TRY(rv_alloc(&a->wrote, bytes / sizeof(float), sizeof(float), what));
    RV_TRY(rv_buffer_create(&a->whole, rig->device, before + bytes + GUARD_BEHIND));
    RV_TRY(rv_buffer_fill(rig->device, a->whole, 0, before + bytes + GUARD_BEHIND, a->poison));
    RV_TRY(rv_buffer_view(&a->view, a->whole, before, bytes));
    if (tensor != NULL) {
        tensor->buffer = a->view;
    }
    return RV_OK;
}

rv_status rv_area_tensor(rv_area *a, rv_rig *rig, const char *what, int index, rv_tensor *tensor)
{
    return rv_area_create(a, rig, what, index, tensor, rv_tensor_bytes(tensor));
}

void rv_area_release(rv_area *a)
{
    rv_buffer_destroy(a->view);
    rv_buffer_destroy(a->whole);
    free(a->wrote);
    *a = (rv_area){0};
}

/* Guard zones and content in one write from the buffer's start: oclgrind 21.10 takes memory for
 * uninitialised where a write began further in. */
rv_status rv_area_send(rv_area *a, rv_rig *rig, bool fixed)
{
    const size_t before = rv_device_alignment(rig->device);
    const size_t n = (before + a->bytes + GUARD_BEHIND) / sizeof(float);
    float *all;
    a->fixed = fixed;
    RV_TRY(rv_alloc(&all, n, sizeof(float), a->what));
    for (size_t i = 0; i < n; i++) {
        all[i] = a->poison;
    }
    memcpy(all + before / sizeof(float), a->wrote, a->bytes);
    const rv_status status = rv_buffer_write(rig->device, a->whole, 0, all, n * sizeof(float));
    free(all);
    return status;
}

/* Plain values with zeros in the pad lanes; the operation may not change them where `fixed`. */
rv_status rv_area_write(rv_area *a, rv_rig *rig, const float *plain, bool fixed)
{
    memset(a->wrote, 0, a->bytes);
    for (size_t i = 0; i < rv_shape_count(&a->tensor->shape); i++) {
        a->wrote[place_of(a->tensor, i)] = plain[i];
    }
    return rv_area_send(a, rig, fixed);
}

rv_status rv_area_poison(rv_area *a, rv_rig *rig, bool fixed)
{
    if (a->what == NULL) {
        return RV_OK;
    }
    for (size_t i = 0; i < a->bytes / sizeof(float); i++) {
        a->wrote[i] = a->poison;
    }
    return rv_area_send(a, rig, fixed);
}

/* From now on the operation may not change what it has written. */
rv_status rv_area_keep(rv_area *a, rv_rig *rig)
{
    if (a->what == NULL) {
        return RV_OK;
    }
    a->fixed = true;
    return rv_buffer_read(rig->device, a->view, 0, a->wrote, a->bytes);
}

static void check_content(const rv_area *a, const float *content, rv_text *faults)
{
    for (size_t i = 0; i < a->bytes / sizeof(float); i++) {
        if (!same_bits(content[i], a->wrote[i])) {
            rv_text_append(faults, "; %s %d is read-only, but float %zu of it was changed", a->what,
                           a->index, i);
            return;
        }
    }
}

/* Notes whether the operation has written to the end of the area. */
static void note_end(rv_area *a, const float *content)
{
    const size_t n = a->bytes / sizeof(float), last = RV_RIG_END_BYTES / sizeof(float);
    for (size_t i = n > last ? n - last : 0; i < n; i++) {
        a->filled = a->filled || !same_bits(content[i], a->poison);
    }
}

/* Appends what the operation broke around and in this area. */
rv_status rv_area_check(rv_area *a, rv_rig *rig, rv_text *faults)
{
    if (a->what == NULL) {
        return RV_OK;
    }
    const size_t before = rv_device_alignment(rig->device) / sizeof(float);
    const size_t n = before + (a->bytes + GUARD_BEHIND) / sizeof(float);
    const size_t end = before + a->bytes / sizeof(float);
    float *all;
    RV_TRY(rv_alloc(&all, n, sizeof(float), a->what));
    const rv_status status = rv_buffer_read(rig->device, a->whole, 0, all, n * sizeof(float));
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        if ((i < before || i >= end) && !same_bits(all[i], a->poison)) {
            rv_text_append(faults, "; %s %d: wrote %zu floats %s its %zu bytes", a->what, a->index,
                           i < before ? before - i : i - end + 1, i < before ? "before" : "behind",
                           a->bytes);
            break;
        }
    }
    if (status == RV_OK && a->fixed) {
        check_content(a, all + before, faults);
    }
    note_end(a, all + before);
    free(all);
    return status;
}

/* *plain is made; pad lanes that are not zero are a fault. */
rv_status rv_area_read(float **plain, const rv_area *a, rv_rig *rig, rv_text *faults)
{
    const size_t n = a->bytes / sizeof(float), count = rv_shape_count(&a->tensor->shape);
    float *raw = NULL;
    RV_TRY(rv_alloc(plain, count, sizeof(float), a->what));
    RV_TRY(rv_alloc(&raw, n, sizeof(float), a->what));
    const rv_status status = rv_buffer_read(rig->device, a->view, 0, raw, a->bytes);
    for (size_t i = 0; i < count && status == RV_OK; i++) {
        const size_t place = place_of(a->tensor, i);
        (*plain)[i] = raw[place];
        raw[place] = 0;
    }
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        if (!(raw[i] == 0)) {
            rv_text_append(faults, "; %s %d: the pad lane at float %zu is %g, not zero", a->what,
                           a->index, i, (double)raw[i]);
            break;
        }
    }
    free(raw);
    return status;
}
