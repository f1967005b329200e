/* Foresees what stylize takes: a rehearsal for memory, and a few iterations, or a run that was, for time. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/system.h"
#include "stages/stylize_job.h"

/* What the time is foreseen by: at this size the speed is nearly that of larger ones. */
enum { PROBE_SIZE = 384, PROBE_ITERATIONS = 5 };

/* What a driver takes for running kernels, beyond having them. */
#define RUN_BYTES UINT64_C(8000000)

/* What all runs of an estimate share. */
typedef struct foresight {
    rv_device *device;
    const rv_model *model;
    const rv_image *photo;
    const rv_image *const *styles;
    const double *style_weights;
    int n_styles;
} foresight;

/* @param[out] found  not NULL: a rehearsal, which tells the size of the result
 * @param[out] j      what is known after it */
static rv_status try_out(const foresight *f, const rv_stylize_options *options, rv_rehearsal *found,
                         rv_stylize_estimate *out, rv_stylize_job *j)
{
    rv_stylizer *s;
    rv_stylize_result result;
    rv_image *picture;
    *j = (rv_stylize_job){.photo = f->photo, .unnoticed = true};
    RV_TRY(rv_stylizer_create(&s, f->device, f->model, f->styles, f->style_weights, f->n_styles,
                              options));
    j->s = s;
    if (found != NULL) {
        rv_rehearsal_begin(f->device);
    }
    const rv_status status = rv_stylize_one(&picture, &result, j);
    if (found != NULL) {
        rv_rehearsal_end(f->device, found);
    }
    if (picture != NULL) {
        out->width = rv_image_width(picture);
        out->height = rv_image_height(picture);
    }
    rv_image_destroy(picture);
    rv_stylizer_destroy(s);
    return status;
}

/* Memory and size by a rehearsal, which takes what the host does beside the iterations. */
static rv_status rehearse(const foresight *f, const rv_stylize_options *options,
                          rv_stylize_estimate *out, rv_rehearsal *found, rv_stylize_job *j)
{
    const double start = rv_clock();
    *out = (rv_stylize_estimate){0};
    RV_TRY(try_out(f, options, found, out, j));
    out->device_bytes = found->device_bytes;
    out->process_bytes = found->process_bytes + RUN_BYTES;
    out->seconds = rv_clock() - start;
    return RV_OK;
}

/* The options of a try that nobody is to notice. */
static rv_stylize_options quietly(const rv_stylize_options *options, rv_events *events)
{
    rv_stylize_options o = rv_stylize_given(options);
    *events = o.events != NULL ? *o.events : (rv_events){0};
    events->progress = NULL;
    o.events = events;
    o.preview = NULL;
    o.time_limit = 0;
    return o;
}

rv_status rv_stylize_foresee(rv_stylize_estimate *out, rv_device *device, const rv_model *model,
                             const rv_image *photo, const rv_image *const *styles,
                             const double *style_weights, int n_styles,
                             const rv_stylize_options *options)
{
    const foresight f = {device, model, photo, styles, style_weights, n_styles};
    rv_events events;
    const rv_stylize_options whole = quietly(options, &events);
    rv_stylize_options probe = whole;
    rv_rehearsal found, small;
    rv_stylize_estimate unused;
    rv_stylize_job j;
    probe.size = probe.size < PROBE_SIZE ? probe.size : PROBE_SIZE;
    probe.scales = 1;
    probe.output_size = 0;
    probe.iterations = PROBE_ITERATIONS;
    RV_TRY(rehearse(&f, &whole, out, &found, &j));
    if (!(whole.strength > 0)) {
        return RV_OK; /* no iterations */
    }
    RV_TRY(try_out(&f, &probe, &small, &unused, &j));
    const double work = j.rehearsed;
    RV_TRY(try_out(&f, &probe, NULL, &unused, &j));
    out->seconds += found.work * j.rate * j.pixels / work;
    return RV_OK;
}

rv_status rv_stylize_foresee_after(rv_stylize_estimate *out, rv_device *device,
                                   const rv_model *model, const rv_image *photo,
                                   const rv_image *const *styles, const double *style_weights,
                                   int n_styles, const rv_stylize_options *options,
                                   const rv_stylize_result *made)
{
    const foresight f = {device, model, photo, styles, style_weights, n_styles};
    rv_events events;
    const rv_stylize_options whole = quietly(options, &events);
    rv_rehearsal found;
    rv_stylize_job j;
    RV_TRY(rehearse(&f, &whole, out, &found, &j));
    out->seconds += made->rate * j.work;
    return RV_OK;
}
