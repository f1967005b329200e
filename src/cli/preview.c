/* --preview: the picture so far, in a file that viewers can follow. */
/* SPDX-License-Identifier: MIT */
#include "cli/photos.h"

int cli_preview_check(const cli_preview *preview, const char *const *inputs, size_t n_inputs,
                      bool overwrite)
{
    const rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    rv_image *picture;
    if (preview->file == NULL) {
        return CLI_DONE;
    }
    rv_status status = rv_image_create(&picture, 1, 1, 3, 8);
    if (status == RV_OK) {
        status = rv_image_check_write(picture, preview->file, &options);
    }
    if (status == RV_OK) {
        /* That of an earlier run may go, another picture only where that was said. */
        const bool ours = rv_image_has_settings(preview->file, CLI_SETTINGS_START);
        status = rv_output_check(preview->file, inputs, n_inputs, overwrite || ours);
    }
    rv_image_destroy(picture);
    return cli_status(status);
}

void cli_preview_show(void *preview, const rv_image *picture)
{
    cli_preview *p = preview;
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.quality = p->quality;
    options.overwrite = true;
    options.unsynced = true;
    options.settings = CLI_SETTINGS_START "preview";
    const rv_status status = rv_image_write(picture, p->file, &options);
    if (status != RV_OK && !p->failed) {
        p->failed = true;
        cli_say("there is no preview: %s", rv_error_message());
    }
}
