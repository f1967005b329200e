/* A photo in, a picture in the manner of another out: stylize PHOTO STYLE OUT [SIZE]. Ctrl-C ends early. */
/* SPDX-License-Identifier: MIT */
#include <reverie/reverie.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static bool on_cancelled(void *payload)
{
    (void)payload;
    return interrupted != 0;
}

static void on_progress(void *payload, const rv_progress *progress)
{
    fprintf(payload, "\r%s: %3.0f %%  loss %.4g ", progress->task, 100.0 * progress->fraction,
            progress->loss);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s PHOTO STYLE OUT [SIZE]\n", argv[0]);
        return 2;
    }
    rv_device *device = NULL;
    rv_model *model = NULL;
    rv_image *photo = NULL, *style = NULL, *out = NULL;
    const rv_events events = {stderr, NULL, on_progress, on_cancelled};
    rv_stylize_options options = RV_STYLIZE_OPTIONS_INIT;
    options.size = argc > 4 ? atoi(argv[4]) : 512;
    options.events = &events;
    signal(SIGINT, on_interrupt);

    const bool failed = rv_device_open(&device, NULL) || rv_model_open(&model, "patches", NULL) ||
                        rv_image_read(&photo, argv[1], NULL) ||
                        rv_image_read(&style, argv[2], NULL) ||
                        /* A call that was cancelled gives the best picture so far. */
                        (rv_stylize(&out, NULL, device, model, photo,
                                    (const rv_image *const[]){style}, NULL, 1, &options) &&
                         out == NULL) ||
                        rv_image_write(out, argv[3], NULL);
    fprintf(stderr, "\n%s\n", failed ? rv_error_message() : argv[3]);
    rv_image_destroy(out);
    rv_image_destroy(style);
    rv_image_destroy(photo);
    rv_model_close(model);
    rv_device_close(device);
    return failed;
}
