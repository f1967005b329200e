/* What `reverie dream` was asked for, and the pictures that it makes. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_DREAM_H
#define RV_CLI_DREAM_H

#include "cli/photos.h"

typedef struct cli_dream_settings {
    char *model;
    cli_model_files files;
    char *maximize;
    char *guide, *mask; /**< pictures; NULL: none */
    double strength;
    int size, octaves;
    double octave_scale;
    int iterations;
    double step;
    int jitter;
    double smooth, blur, color, stretch;
    int tile;
    bool gallery, untrained;
    int frames; /**< of a film; 0: one picture */
    double zoom, rotate;
    double time_limit;
    cli_photo_settings photos;
} cli_dream_settings;

/** Everything that is the same for all photos. */
typedef struct cli_dream_inputs {
    const cli_dream_settings *s;
    rv_model *model;
    rv_image *guide, *mask;
    rv_dream_options options;
    const char *const *files; /**< that are read beside the photos; NULL among them: none */
    size_t n_files;
} cli_dream_inputs;

/** Dreams over the photos, or makes galleries of them. @return exit code, having said what failed and printed results */
int cli_dream_photos(cli *c, const cli_dream_inputs *in, const cli_list *words);
/** Makes the frames of a film that goes into a photo: {stem}_dream_0000.png and on, each from the one before. Those that
 *  are there stay with --resume. @return exit code, as above */
int cli_dream_frames(cli *c, const cli_dream_inputs *in, const cli_list *words);
/** What the file says about itself beside the photo: nothing that does not shape the picture. Freed with free(). */
char *cli_dream_settings_text(const cli_dream_inputs *in, const rv_dream_result *result);

#endif
