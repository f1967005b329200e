/* Where a run of stylize is, in a file: to go on from there as if it had not ended. */
/* SPDX-License-Identifier: MIT */
#include "stages/stylize_state.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/system.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_REQUEST  "reverie.request"
#define KEY_POSITION "reverie.position"

#define PICTURE "picture"

enum { MAX_NAME = 24 };

void rv_stylize_request_release(rv_stylize_request *request)
{
    free(request->settings);
    free(request->weights);
    free(request->device);
    *request = (rv_stylize_request){0};
}

void rv_stylize_state_release(rv_stylize_state *state)
{
    rv_planar_release(&state->base);
    free(state->descent.picture);
    rv_safetensors_close(state->file);
    *state = (rv_stylize_state){0};
}

uint64_t rv_picture_hash(uint64_t hash, const rv_image *image)
{
    const int size[4] = {rv_image_width(image), rv_image_height(image), rv_image_channels(image),
                         rv_image_bits(image)};
    const size_t bytes = (size_t)size[0] * (size_t)size[1] * (size_t)(size[2] * size[3] / 8);
    return rv_hash(rv_hash(hash, size, sizeof size), rv_image_pixels_const(image), bytes);
}

static void name_array(char *out, int i)
{
    snprintf(out, MAX_NAME, "memory.%d", i);
}

/* --- write ----------------------------------------------------------------------------------- */

static char *request_text(const rv_stylize_request *r)
{
    json_t *json = json_pack("{s:s, s:s, s:s}", "settings", r->settings, "weights", r->weights,
                             "device", r->device);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

static char *position_text(const rv_stylize_state *s)
{
    const double loss = isfinite(s->descent.loss) ? s->descent.loss : 0;
    const bool begun = s->descent.done > 0;
    json_t *numbers = json_array(), *floats = json_array();
    for (int i = 0; i < s->descent.n_numbers; i++) {
        json_array_append_new(numbers, json_real(s->descent.number[i]));
    }
    for (int i = 0; i < s->descent.n_arrays; i++) {
        json_array_append_new(floats, json_integer((json_int_t)s->descent.floats[i]));
    }
    json_t *json =
        json_pack("{s:i, s:i, s:i, s:f, s:f, s:i, s:i, s:o, s:o}", "scale", s->scale, "iterations",
                  s->iterations, "done", s->descent.done, "seconds", s->seconds, "loss", loss,
                  "width", begun ? s->width : s->base.width, "height",
                  begun ? s->height : s->base.height, "numbers", numbers, "floats", floats);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

/* The picture is the first tensor, the arrays follow. */
static rv_status fetch(void *payload, size_t tensor, float *values)
{
    const rv_descent_state *d = payload;
    return d->read(d->payload, (int)tensor - 1, values);
}

rv_status rv_stylize_state_write(const char *path, const rv_stylize_request *request,
                                 const rv_stylize_state *state)
{
    const rv_descent_state *d = &state->descent;
    const bool begun = d->done > 0;
    char names[RV_MEMORY_ARRAYS][MAX_NAME];
    rv_stored_tensor tensors[RV_MEMORY_ARRAYS + 1];
    size_t n = 0;
    tensors[n++] =
        begun
            ? (rv_stored_tensor){PICTURE, rv_shape_4(1, 3, state->height, state->width), d->picture}
            : (rv_stored_tensor){PICTURE, rv_shape_4(1, 3, state->base.height, state->base.width),
                                 state->base.data};
    for (int i = 0; i < d->n_arrays; i++) {
        name_array(names[i], i);
        tensors[n++] = (rv_stored_tensor){names[i], rv_shape_1((int32_t)d->floats[i]), NULL};
    }
    char *wanted = request_text(request), *position = position_text(state);
    rv_status status = RV_OK;
    if (wanted == NULL || position == NULL) {
        status = rv_fail(RV_ERR_MEMORY, "no memory for the state of a picture");
    } else {
        const rv_stored_text texts[] = {{KEY_REQUEST, wanted}, {KEY_POSITION, position}};
        status = rv_safetensors_write(
            path, tensors, n, texts, 2,
            &(rv_store_options){.unsynced = true, .fetch = fetch, .payload = (void *)d});
    }
    free(wanted);
    free(position);
    return status;
}

/* --- read ------------------------------------------------------------------------------------ */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static rv_status check_request(rv_stylize_state *s, const json_t *then, const char *path,
                               const rv_stylize_request *now, const rv_events *events)
{
    const char *settings = text_of(then, "settings"), *device = text_of(then, "device");
    if (strcmp(settings, now->settings) != 0) {
        return rv_fail(RV_ERR_USAGE, "%s was left by another run: of '%s', not of '%s'", path,
                       settings, now->settings);
    }
    s->other_weights = strcmp(text_of(then, "weights"), now->weights) != 0;
    if (s->other_weights) {
        rv_log(events, RV_LOG_INFO, "going on with %s; so far it was %s", now->weights,
               text_of(then, "weights"));
    }
    if (strcmp(device, now->device) != 0) {
        rv_log(events, RV_LOG_WARNING,
               "%s was left by a run on %s: another device does not find quite the same picture",
               path, device);
    }
    return RV_OK;
}

rv_status rv_stylize_state_damaged(const char *path)
{
    return rv_fail(RV_ERR_FORMAT, "%s: the state of the run is damaged; remove it to begin anew",
                   path);
}

/* A whole number from `low` on in an object or array; -1 where it is none. */
static int whole(const json_t *value, int low)
{
    const json_int_t v = json_is_integer(value) ? json_integer_value(value) : -1;
    return v >= low && v <= INT32_MAX ? (int)v : -1;
}

static rv_status read_position(rv_stylize_state *s, const json_t *json, const char *path)
{
    const json_t *numbers = json_object_get(json, "numbers");
    rv_descent_state *d = &s->descent;
    s->scale = whole(json_object_get(json, "scale"), 0);
    s->iterations = whole(json_object_get(json, "iterations"), 0);
    s->seconds = json_number_value(json_object_get(json, "seconds"));
    s->width = whole(json_object_get(json, "width"), 1);
    s->height = whole(json_object_get(json, "height"), 1);
    d->done = whole(json_object_get(json, "done"), 0);
    d->loss = json_number_value(json_object_get(json, "loss"));
    if (s->scale < 0 || s->iterations < 0 || s->width < 0 || s->height < 0 || d->done < 0 ||
        s->iterations < d->done || json_array_size(numbers) > RV_MEMORY_NUMBERS) {
        return rv_stylize_state_damaged(path);
    }
    d->n_numbers = (int)json_array_size(numbers);
    for (int i = 0; i < d->n_numbers; i++) {
        d->number[i] = json_number_value(json_array_get(numbers, (size_t)i));
    }
    return RV_OK;
}

/* Whether it is there is seen before memory is taken for it. */
static rv_status read_tensor(float **out, const rv_safetensors *file, const char *name,
                             rv_shape shape)
{
    RV_TRY(rv_safetensors_read(file, NULL, name, &shape));
    RV_TRY(rv_alloc(out, rv_shape_count(&shape), sizeof(float), "the state of a picture"));
    return rv_safetensors_read(file, *out, name, &shape);
}

static rv_status read_picture(rv_stylize_state *s, const rv_safetensors *file, const char *path)
{
    const rv_shape shape = rv_shape_4(1, 3, s->height, s->width);
    float **picture = &s->base.data;
    if (s->descent.done == 0) {
        s->base.width = s->width;
        s->base.height = s->height;
    } else {
        s->descent.n = rv_shape_count(&shape);
        picture = &s->descent.picture;
    }
    RV_TRY(read_tensor(picture, file, PICTURE, shape));
    for (size_t i = 0; i < rv_shape_count(&shape); i++) {
        if (!isfinite((*picture)[i])) {
            return rv_stylize_state_damaged(path);
        }
    }
    return RV_OK;
}

static rv_status read_array(void *payload, int array, float *out)
{
    const rv_stylize_state *s = payload;
    const rv_shape shape = rv_shape_1((int32_t)s->descent.floats[array]);
    char name[MAX_NAME];
    name_array(name, array);
    return rv_safetensors_read(s->file, out, name, &shape);
}

/* Sees that all arrays are there: they are read when the optimiser takes them. */
static rv_status find_arrays(rv_stylize_state *s, const json_t *at, const char *path)
{
    const json_t *floats = json_object_get(at, "floats");
    rv_descent_state *d = &s->descent;
    if (json_array_size(floats) > RV_MEMORY_ARRAYS) {
        return rv_stylize_state_damaged(path);
    }
    for (int i = 0; i < (int)json_array_size(floats); i++) {
        const int n = whole(json_array_get(floats, (size_t)i), 1);
        if (n < 0) {
            return rv_stylize_state_damaged(path);
        }
        d->floats[i] = (size_t)n;
        d->n_arrays++;
        RV_TRY(read_array(s, i, NULL));
    }
    d->read = read_array;
    d->payload = s;
    return RV_OK;
}

static rv_status read_all(rv_stylize_state *s, const rv_safetensors *file, const char *path,
                          const rv_stylize_request *request, const rv_events *events)
{
    const char *wanted = rv_safetensors_metadata(file, KEY_REQUEST);
    const char *position = rv_safetensors_metadata(file, KEY_POSITION);
    json_t *then = wanted != NULL ? json_loads(wanted, 0, NULL) : NULL;
    json_t *at = position != NULL ? json_loads(position, 0, NULL) : NULL;
    rv_status status = RV_OK;
    if (then == NULL || at == NULL) {
        status = rv_fail(RV_ERR_FORMAT, "%s is not the state of a run of stylize", path);
    }
    if (status == RV_OK) {
        status = check_request(s, then, path, request, events);
    }
    if (status == RV_OK) {
        status = read_position(s, at, path);
    }
    if (status == RV_OK) {
        status = read_picture(s, file, path);
    }
    if (status == RV_OK) {
        status = find_arrays(s, at, path);
    }
    json_decref(then);
    json_decref(at);
    return status;
}

rv_status rv_stylize_state_read(rv_stylize_state *out, const char *path,
                                const rv_stylize_request *request, const rv_events *events)
{
    *out = (rv_stylize_state){0};
    RV_TRY(rv_safetensors_open(&out->file, path));
    const rv_status status = read_all(out, out->file, path, request, events);
    if (status != RV_OK) {
        rv_stylize_state_release(out);
    }
    return status;
}
