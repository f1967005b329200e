/* Foresees what a dream takes: a rehearsal for memory and work, a few steps at a small size for the speed. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/system.h"
#include "stages/dream_job.h"

/* What the time is foreseen by: at this size the speed is nearly that of larger ones. */
enum { PROBE_SIZE = 512, PROBE_STEPS = 4 };

/* What a driver takes for running kernels, beyond having them. */
#define RUN_BYTES UINT64_C(8000000)

static rv_status try_out(rv_dream_job *j, rv_stylize_estimate *out)
{
    rv_dream_result result;
    rv_image *picture;
    const rv_status status = rv_dream_one(&picture, &result, j);
    if (picture != NULL && out != NULL) {
        out->width = rv_image_width(picture);
        out->height = rv_image_height(picture);
    }
    rv_image_destroy(picture);
    return status;
}

rv_status rv_dreamer_foresee(rv_stylize_estimate *out, rv_dreamer *dreamer, const rv_image *photo)
{
    rv_events events = dreamer->options.events != NULL ? *dreamer->options.events : (rv_events){0};
    rv_dream_job whole = {.d = dreamer, .options = dreamer->options, .photo = photo};
    rv_rehearsal found;
    const double start = rv_clock();
    events.progress = NULL;
    whole.options.events = &events;
    whole.options.preview = NULL;
    whole.options.time_limit = 0;
    rv_dream_job probe = whole;
    probe.options.size = PROBE_SIZE;
    probe.options.octaves = 1;
    probe.options.iterations = PROBE_STEPS;
    probe.one_octave = true;
    *out = (rv_stylize_estimate){0};
    rv_rehearsal_begin(dreamer->device);
    const rv_status status = try_out(&whole, out);
    rv_rehearsal_end(dreamer->device, &found);
    RV_TRY(status);
    out->device_bytes = found.device_bytes;
    out->process_bytes = found.process_bytes + RUN_BYTES;
    out->seconds = rv_clock() - start;
    RV_TRY(try_out(&probe, NULL));
    out->seconds += whole.device_flops * probe.timed / probe.timed_device;
    return RV_OK;
}
