/* reverie augment: a large set of pictures out of a small one. */
/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

typedef struct settings {
    char *output, *recipe, *preview;
    int copies, quality;
    uint64_t total;
    bool overwrite, strict, dry_run;
    cli_reading reading;
} settings;

/* Of the sheet of --preview; and pictures that are named when they cannot be read. */
enum { MOST_NAMED = 20, SHEET_ROWS = 6, SHEET_COLUMNS = 6, SHEET_CELL = 160 };

static rv_augment_options options_of(cli *c, const settings *s)
{
    rv_augment_options o = RV_AUGMENT_OPTIONS_INIT;
    o.recipe = s->recipe;
    o.copies = s->copies;
    o.total = s->total;
    o.seed = (uint32_t)c->globals.seed;
    o.quality = s->quality;
    o.threads = c->globals.threads;
    o.overwrite = s->overwrite;
    o.strict = s->strict;
    o.dry_run = s->dry_run;
    o.read = cli_read_options(c, &s->reading);
    o.events = &c->events;
    return o;
}

static int preview(cli *c, const settings *s, const char *source)
{
    const rv_augment_options o = options_of(c, s);
    rv_image_write_options write = RV_IMAGE_WRITE_OPTIONS_INIT;
    write.overwrite = s->overwrite;
    rv_image *sheet = NULL;
    int code = cli_status(rv_output_check(s->preview, NULL, 0, s->overwrite));
    if (code == CLI_DONE) {
        code = cli_open_device(c);
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_augment_preview(&sheet, c->device, source, SHEET_ROWS, SHEET_COLUMNS,
                                             SHEET_CELL, &o));
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_image_write(sheet, s->preview, &write));
    }
    if (code == CLI_DONE) {
        cli_note(c, "%s: each picture on the left, copies beside it", s->preview);
        cli_json_set(c, "preview", cli_json_text(s->preview));
    }
    rv_image_destroy(sheet);
    return code;
}

static void report(cli *c, const settings *s, const rv_augment_result *r)
{
    char wanted[27], written[27], existing[27];
    json_t *skipped = json_array();
    for (size_t i = 0; i < r->n_skipped; i++) {
        if (i < MOST_NAMED) {
            cli_say("skipped: %s", r->skipped[i].reason);
        }
        json_array_append_new(skipped,
                              json_pack("{s:o, s:o}", "file", cli_json_text(r->skipped[i].file),
                                        "reason", cli_json_text(r->skipped[i].reason)));
    }
    const double rate = r->seconds > 0 ? (double)r->written / r->seconds : 0;
    cli_json_set(c, "sources", json_integer((json_int_t)r->sources));
    cli_json_set(c, "written", json_integer((json_int_t)r->written));
    cli_json_set(c, "existing", json_integer((json_int_t)r->existing));
    cli_json_set(c, "skipped", skipped);
    cli_json_set(c, "images_per_second", cli_json_real(rate));
    if (s->dry_run) {
        cli_note(c, "%s copies of %llu pictures would be in %s", cli_thousands(wanted, r->wanted),
                 (unsigned long long)r->sources, s->output);
        return;
    }
    cli_note(c, "%s: %s of %s copies written in %.1f s (%.0f a second), %s were there", s->output,
             cli_thousands(written, r->written), cli_thousands(wanted, r->wanted), r->seconds, rate,
             cli_thousands(existing, r->existing));
    if (r->n_skipped > 0) {
        cli_say("%zu pictures could not be read%s", r->n_skipped,
                r->n_skipped > MOST_NAMED ? "; --json names them all" : "");
    }
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const settings *s = given;
    const char *source = words->items[0];
    if (s->preview != NULL) {
        return cli_json_print(c, preview(c, s, source));
    }
    if (s->output == NULL) {
        return cli_usage("augment needs -o FOLDER for the copies, or --preview SHEET.png");
    }
    const rv_augment_options o = options_of(c, s);
    rv_augment_result result = {0};
    int code = s->dry_run ? CLI_DONE : cli_open_device(c);
    if (code == CLI_DONE) {
        code = cli_status(rv_augment(&result, c->device, source, s->output, &o));
        if (code == CLI_DONE || result.written > 0) {
            report(c, s, &result);
        }
        if (code == CLI_INTERRUPTED) {
            cli_note(c, "the same command goes on from here");
        }
    }
    code = code == CLI_DONE && result.n_skipped > 0 ? CLI_FAILED : code;
    rv_augment_result_release(&result);
    return cli_json_print(c, code);
}

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_FILE,
     .offset = offsetof(settings, output),
     .argument = "FOLDER",
     .help = "where the copies go, in folders named as those of SOURCE"},
    {.name = "recipe",
     .kind = CLI_FILE,
     .offset = offsetof(settings, recipe),
     .argument = "FILE|light|photo",
     .initial = "photo",
     .help = "what is done to the pictures: a YAML file or a recipe of the program"},
    {.name = "copies",
     .kind = CLI_INT,
     .offset = offsetof(settings, copies),
     .argument = "K",
     .initial = "5",
     .min = 1,
     .max = 1e6,
     .help = "copies of each picture"},
    {.name = "total",
     .kind = CLI_COUNT,
     .offset = offsetof(settings, total),
     .argument = "N",
     .otherwise = "by --copies",
     .min = 1,
     .max = 1e9,
     .help = "copies in all, shared out evenly"},
    {.name = "preview",
     .kind = CLI_FILE,
     .offset = offsetof(settings, preview),
     .argument = "SHEET.png",
     .help = "write a sheet of some pictures and their copies, and nothing else"},
    {.name = "quality",
     .kind = CLI_INT,
     .offset = offsetof(settings, quality),
     .argument = "Q",
     .initial = "90",
     .min = 1,
     .max = 100,
     .help = "of the JPEG files"},
    {.name = "strict",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, strict),
     .help = "stop at a picture that cannot be read, instead of skipping it"},
    {.name = "overwrite",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, overwrite),
     .help = "replace the copies of another run"},
    {.name = "dry-run",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, dry_run),
     .help = "say how many copies there would be"},
    CLI_READ_OPTIONS(settings, reading),
};

const cli_command cli_augment = {
    .name = "augment",
    .summary = "make many pictures out of few for training",
    .arguments = "SOURCE -o FOLDER [--recipe R] [--copies K|--total N]",
    .description =
        "Turns, scales, colours and blurs the pictures of a folder at random, within the ranges of "
        "a recipe, and writes the copies to another folder, class folders as they were: "
        "cats/tom.jpg becomes cats/tom__aug0.jpg, cats/tom__aug1.jpg and so on. manifest.jsonl "
        "tells what was done to each.\n\n"
        "A copy depends on the recipe, --seed, the name of its picture and its number, not on "
        "threads or on other pictures. A run that was stopped goes on when it is started again.",
    .example = "reverie augment photos/ -o more/ --copies 20\n"
               "reverie augment photos/ --recipe mine.yaml --preview sheet.png",
    .min_words = 1,
    .max_words = 1,
    .missing = "a folder of pictures",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
