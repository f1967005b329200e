/* reverie bench: what the device can do, and how near Reverie comes. */
/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    char *model, *architecture, *recipe, *filter;
    cli_model_files files;
    int size, iterations, batch;
    bool profile;
} settings;

static void set_real(json_t *object, const char *key, double value)
{
    json_object_set_new(object, key, cli_json_real(value));
}

static json_t *peak_json(const rv_bench_peak_result *peak)
{
    json_t *object = json_object();
    set_real(object, "fma_gflops", peak->fma_gflops);
    set_real(object, "copy_gbps", peak->copy_gbps);
    set_real(object, "launch_us", peak->launch_us);
    return object;
}

static void print_peak(const cli *c, const rv_bench_peak_result *peak)
{
    if (!c->globals.json) {
        printf("%s: multiply-adds %.1f GFLOPS, copying %.1f GB/s, launch %.2f us\n", c->device_name,
               peak->fma_gflops, peak->copy_gbps, peak->launch_us);
    }
}

static int bench_peak(cli *c, const settings *s, const char *source)
{
    (void)s, (void)source;
    rv_bench_peak_result peak;
    int code = cli_open_device(c);
    if (code == CLI_DONE) {
        code = cli_status(rv_bench_peak(c->device, &peak, &c->events));
    }
    if (code == CLI_DONE) {
        print_peak(c, &peak);
        json_t *object = peak_json(&peak);
        json_object_update(c->json, object);
        json_decref(object);
    }
    return code;
}

enum { COLUMNS = 7 };

static void fill_row(char **cells, const rv_bench_row *row)
{
    cells[0] = cli_format("%s", row->name);
    cells[1] = cli_format("%s", row->pass);
    cells[2] = cli_format("%s", row->algorithm);
    cells[3] = cli_format("%.3f", row->ms);
    cells[4] = cli_format("%.1f", row->gbps > 0 ? row->gbps : row->gflops);
    cells[5] = cli_format("%.2f", row->ratio_to_peak);
    cells[6] = cli_format("%.1e", row->max_error);
}

static json_t *row_json(const rv_bench_row *row)
{
    json_t *object = json_pack("{s:s, s:s, s:s}", "case", row->name, "pass", row->pass, "algorithm",
                               row->algorithm);
    set_real(object, "ms", row->ms);
    if (row->gbps > 0) {
        set_real(object, "gbps", row->gbps);
        set_real(object, "ratio_to_copy", row->ratio_to_peak);
        return object;
    }
    set_real(object, "gflops", row->gflops);
    set_real(object, "ratio_to_peak", row->ratio_to_peak);
    set_real(object, "max_error", row->max_error);
    return object;
}

/* The last column is for what is compared with double precision. */
static int print_table(const rv_bench_row *rows, size_t n, char **cells)
{
    static const char *const heading[COLUMNS] = {"case",   "pass",          "algorithm", "ms",
                                                 "GFLOPS", "share of peak", "max error"};
    static const char *const memory[COLUMNS - 1] = {"case", "pass", "algorithm",
                                                    "ms",   "GB/s", "share of copying"};
    if (n == 0 || !(rows[0].gbps > 0)) {
        return cli_print_table("lllrrrr", heading, cells, n);
    }
    char **shorter = calloc(n * (COLUMNS - 1), sizeof *shorter);
    if (shorter == NULL) {
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(&shorter[i * (COLUMNS - 1)], &cells[i * COLUMNS], (COLUMNS - 1) * sizeof *cells);
    }
    const int code = cli_print_table("lllrrr", memory, shorter, n);
    free(shorter);
    return code;
}

static int print_rows(cli *c, const rv_bench_row *rows, size_t n, const rv_bench_peak_result *peak)
{
    char **cells = calloc(n * COLUMNS, sizeof *cells);
    if (cells == NULL) {
        return cli_out_of_memory();
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        fill_row(&cells[i * COLUMNS], &rows[i]);
        json_array_append_new(list, row_json(&rows[i]));
    }
    cli_json_set(c, "rows", list);
    cli_json_set(c, "peak", peak_json(peak));
    print_peak(c, peak);
    const int code = c->globals.json ? CLI_DONE : print_table(rows, n, cells);
    cli_free_cells(cells, n * COLUMNS);
    return code;
}

typedef rv_status measure_rows(rv_device *, rv_bench_row **, size_t *, rv_bench_peak_result *,
                               const char *filter, const rv_events *);

static int bench_rows(cli *c, const settings *s, measure_rows *measure)
{
    rv_bench_row *rows = NULL;
    rv_bench_peak_result peak;
    size_t n = 0;
    int code = cli_open_device(c);
    if (code == CLI_DONE) {
        code = cli_status(measure(c->device, &rows, &n, &peak, s->filter, &c->events));
    }
    if (code == CLI_DONE) {
        code = print_rows(c, rows, n, &peak);
    }
    free(rows);
    return code;
}

static int bench_conv(cli *c, const settings *s, const char *source)
{
    (void)source;
    return bench_rows(c, s, rv_bench_conv);
}

static int bench_gemm(cli *c, const settings *s, const char *source)
{
    (void)source;
    return bench_rows(c, s, rv_bench_gemm);
}

static int bench_elementwise(cli *c, const settings *s, const char *source)
{
    (void)source;
    return bench_rows(c, s, rv_bench_elementwise);
}

enum { ERROR_COLUMNS = 7 };

static void fill_error_row(char **cells, const rv_bench_error_row *row)
{
    cells[0] = cli_format("%s", row->name);
    cells[1] = cli_format("%s", row->pass);
    cells[2] = cli_format("%s", row->algorithm);
    cells[3] = cli_format("%.1e", row->max_error);
    cells[4] = cli_format("%.1e", row->rms_error);
    cells[5] = cli_format("%.2f", row->max_ratio);
    cells[6] = cli_format("%.2f", row->rms_ratio);
}

static json_t *error_json(const rv_bench_error_row *row)
{
    json_t *object = json_pack("{s:s, s:s, s:s}", "case", row->name, "pass", row->pass, "algorithm",
                               row->algorithm);
    set_real(object, "max_error", row->max_error);
    set_real(object, "rms_error", row->rms_error);
    set_real(object, "max_ratio", row->max_ratio);
    set_real(object, "rms_ratio", row->rms_ratio);
    return object;
}

static int print_errors(cli *c, const rv_bench_error_row *rows, size_t n)
{
    static const char *const heading[ERROR_COLUMNS] = {
        "case", "pass", "algorithm", "max error", "rms error", "max to direct", "rms to direct"};
    char **cells = calloc(n * ERROR_COLUMNS, sizeof *cells);
    if (cells == NULL) {
        return cli_out_of_memory();
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        fill_error_row(&cells[i * ERROR_COLUMNS], &rows[i]);
        json_array_append_new(list, error_json(&rows[i]));
    }
    cli_json_set(c, "rows", list);
    const int code = c->globals.json ? CLI_DONE : cli_print_table("lllrrrr", heading, cells, n);
    cli_free_cells(cells, n * ERROR_COLUMNS);
    return code;
}

static int bench_error(cli *c, const settings *s, const char *source)
{
    (void)source;
    rv_bench_error_row *rows = NULL;
    size_t n = 0;
    int code = cli_open_device(c);
    if (code == CLI_DONE) {
        code = cli_status(rv_bench_error(c->device, &rows, &n, s->filter, &c->events));
    }
    if (code == CLI_DONE) {
        code = print_errors(c, rows, n);
    }
    free(rows);
    return code;
}

/* --arch, --model, or `usual`, an architecture. @param size  of its pictures, 0: its own */
static int open_model(const cli *c, rv_model **out, const settings *s, const char *usual, int size)
{
    const char *name = s->architecture != NULL ? s->architecture : s->model;
    const char *names[32];
    size_t n_entries, n = 0;
    const rv_model_entry *entries = rv_model_list(&n_entries);
    *out = NULL;
    if (s->architecture != NULL && s->model != NULL) {
        return cli_usage("--arch and --model exclude each other");
    }
    for (size_t i = 0; i < n_entries && n < 32; i++) {
        if (strcmp(entries[i].source, "architecture") == 0) {
            names[n++] = entries[i].name;
        }
    }
    const bool is_word = s->architecture != NULL && strpbrk(name, "./:") == NULL;
    const int nearest = is_word ? rv_nearest(name, names, n) : -1;
    if (nearest >= 0 && strcmp(names[nearest], name) != 0) {
        return cli_usage("there is no architecture '%s'; did you mean '%s'?", name, names[nearest]);
    }
    rv_model_options options = cli_model_options(c, &s->files, RV_POOLING_AS_MADE);
    options.width = options.height = s->model == NULL ? size : 0;
    options.untrained = s->model == NULL;
    return cli_status(rv_model_open(out, name != NULL ? name : usual, &options));
}

/* Kernels that take less are summed up in a last line. */
#define SMALLEST_SHARE 0.01

static int print_profile(const rv_bench_kernel *kernels, size_t n)
{
    static const char *const heading[] = {"kernel", "launches", "ms", "share"};
    char **cells = calloc(4 * (n + 1), sizeof *cells);
    double others_ms = 0, others = 0, launches = 0;
    size_t rows = 0;
    if (cells == NULL) {
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < n; i++) {
        if (kernels[i].share < SMALLEST_SHARE) {
            others_ms += kernels[i].ms;
            others += kernels[i].share;
            launches += kernels[i].launches;
            continue;
        }
        char **row = &cells[4 * rows++];
        row[0] = cli_format("%s", kernels[i].name);
        row[1] = cli_format("%.1f", kernels[i].launches);
        row[2] = cli_format("%.2f", kernels[i].ms);
        row[3] = cli_format("%.3f", kernels[i].share);
    }
    char **row = &cells[4 * rows++];
    row[0] = cli_format("all others");
    row[1] = cli_format("%.1f", launches);
    row[2] = cli_format("%.2f", others_ms);
    row[3] = cli_format("%.3f", others);
    const int code = cli_print_table("lrrr", heading, cells, rows);
    cli_free_cells(cells, 4 * rows);
    return code;
}

static int profile_stylize(cli *c, const settings *s, const rv_model *model, int size)
{
    rv_bench_kernel *kernels = NULL;
    size_t n = 0;
    int code = cli_status(
        rv_bench_stylize_profile(c->device, &kernels, &n, model, size, s->iterations, &c->events));
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *row = json_pack("{s:s}", "kernel", kernels[i].name);
        set_real(row, "launches", kernels[i].launches);
        set_real(row, "ms", kernels[i].ms);
        set_real(row, "share", kernels[i].share);
        json_array_append_new(list, row);
    }
    cli_json_set(c, "profile", list);
    if (code == CLI_DONE && !c->globals.json) {
        code = print_profile(kernels, n);
    }
    free(kernels);
    return code;
}

static int measure_stylize(cli *c, const settings *s, const rv_model *model)
{
    rv_bench_stylize_result r;
    const int size = s->size > 0 ? s->size : 512;
    const int code =
        cli_status(rv_bench_stylize(c->device, &r, model, size, s->iterations, &c->events));
    if (code != CLI_DONE) {
        return code;
    }
    set_real(c->json, "seconds_per_iteration", r.seconds_per_iteration);
    set_real(c->json, "effective_gflops", r.effective_gflops);
    set_real(c->json, "ratio_to_peak", r.ratio_to_peak);
    cli_json_set(c, "rss_bytes", json_integer((json_int_t)r.rss_bytes));
    cli_json_set(c, "device_bytes", json_integer((json_int_t)r.device_bytes));
    set_real(c->json, "first_iteration_seconds", r.first_iteration_seconds);
    cli_json_set(c, "size", json_integer(size));
    cli_json_set(c, "peak", peak_json(&r.peak));
    print_peak(c, &r.peak);
    if (!c->globals.json) {
        printf("%s at %d px: %.3f s an iteration, %.1f GFLOPS, %.2f of the peak\n"
               "first iteration after %.2f s; %.0f MiB on the device, %.0f MiB in all\n",
               rv_model_name(model), size, r.seconds_per_iteration, r.effective_gflops,
               r.ratio_to_peak, r.first_iteration_seconds, (double)r.device_bytes / 1048576.0,
               (double)r.rss_bytes / 1048576.0);
    }
    return s->profile ? profile_stylize(c, s, model, size) : CLI_DONE;
}

static int measure_infer(cli *c, const settings *s, const rv_model *model)
{
    rv_bench_infer_result r;
    const int batch = s->batch > 0 ? s->batch : 1;
    const int code = cli_status(rv_bench_infer(c->device, &r, model, batch, &c->events));
    if (code != CLI_DONE) {
        return code;
    }
    set_real(c->json, "seconds_per_batch", r.seconds_per_batch);
    set_real(c->json, "ratio_to_peak", r.ratio_to_peak);
    cli_json_set(c, "batch", json_integer(batch));
    cli_json_set(c, "peak", peak_json(&r.peak));
    print_peak(c, &r.peak);
    if (!c->globals.json) {
        printf("%s: %.4f s for a batch of %d, %.2f of the peak\n", rv_model_name(model),
               r.seconds_per_batch, batch, r.ratio_to_peak);
    }
    return CLI_DONE;
}

static int measure_train(cli *c, const settings *s, const rv_model *model)
{
    rv_bench_train_result r;
    const int batch = s->batch > 0 ? s->batch : 64;
    const int code = cli_status(rv_bench_train(c->device, &r, model, batch, &c->events));
    if (code != CLI_DONE) {
        return code;
    }
    set_real(c->json, "images_per_second", r.images_per_second);
    set_real(c->json, "seconds_per_step", r.seconds_per_step);
    set_real(c->json, "ratio_to_peak", r.ratio_to_peak);
    cli_json_set(c, "rss_bytes", json_integer((json_int_t)r.rss_bytes));
    cli_json_set(c, "device_bytes", json_integer((json_int_t)r.device_bytes));
    cli_json_set(c, "batch", json_integer(batch));
    cli_json_set(c, "size", json_integer(rv_model_width(model)));
    cli_json_set(c, "peak", peak_json(&r.peak));
    print_peak(c, &r.peak);
    if (!c->globals.json) {
        printf("%s at %d px: %.1f images/s in batches of %d, %.4f s a step, %.2f of the peak\n"
               "%.0f MiB on the device, %.0f MiB in all\n",
               rv_model_name(model), rv_model_width(model), r.images_per_second, batch,
               r.seconds_per_step, r.ratio_to_peak, (double)r.device_bytes / 1048576.0,
               (double)r.rss_bytes / 1048576.0);
    }
    return CLI_DONE;
}

static int bench_model(cli *c, const settings *s, const char *usual, int size,
                       int (*measure)(cli *, const settings *, const rv_model *))
{
    rv_model *model = NULL;
    int code = open_model(c, &model, s, usual, size);
    if (code == CLI_DONE) {
        code = cli_open_device(c);
    }
    if (code == CLI_DONE) {
        code = measure(c, s, model);
    }
    if (code == CLI_DONE) {
        cli_json_set(c, "model", cli_json_text(rv_model_name(model)));
    }
    rv_model_close(model);
    return code;
}

static int bench_stylize(cli *c, const settings *s, const char *source)
{
    (void)source;
    return bench_model(c, s, "vgg19", 0, measure_stylize);
}

static int bench_infer(cli *c, const settings *s, const char *source)
{
    (void)source;
    return bench_model(c, s, "squeezenet", 0, measure_infer);
}

static int bench_train(cli *c, const settings *s, const char *source)
{
    (void)source;
    return bench_model(c, s, "vgg-s", s->size, measure_train);
}

static int bench_augment(cli *c, const settings *s, const char *source)
{
    rv_bench_augment_result r;
    if (source == NULL) {
        return cli_usage("bench augment needs a folder of pictures");
    }
    int code = cli_open_device(c);
    if (code == CLI_DONE) {
        code = cli_status(rv_bench_augment(c->device, &r, source, s->recipe, &c->events));
    }
    if (code != CLI_DONE) {
        return code;
    }
    set_real(c->json, "images_per_second", r.images_per_second);
    set_real(c->json, "codec_images_per_second", r.codec_images_per_second);
    if (!c->globals.json) {
        printf("%llu pictures: %.0f a second, of the %.0f that reading and writing alone takes: "
               "%.2f\n",
               (unsigned long long)r.images, r.images_per_second, r.codec_images_per_second,
               r.images_per_second / r.codec_images_per_second);
    }
    return CLI_DONE;
}

static int bench_all(cli *c, const settings *s, const char *source);

static const char *const actions[] = {"peak",  "conv",  "error",   "gemm", "elementwise", "stylize",
                                      "infer", "train", "augment", "all",  NULL};
static int (*const measures[])(cli *, const settings *, const char *) = {
    bench_peak,    bench_conv,  bench_error, bench_gemm,    bench_elementwise,
    bench_stylize, bench_infer, bench_train, bench_augment, bench_all};

/* Each into an object of its own; one that fails does not keep the others from being made. */
static int bench_all(cli *c, const settings *s, const char *source)
{
    json_t *const all = c->json;
    if (s->model != NULL || s->architecture != NULL) {
        return cli_usage("bench all measures its own models: leave out --model and --arch");
    }
    int worst = cli_open_device(c);
    const bool opened = worst == CLI_DONE;
    for (size_t i = 0; opened && measures[i] != bench_all && worst != CLI_INTERRUPTED; i++) {
        if (measures[i] == bench_augment && source == NULL) {
            continue;
        }
        if (!c->globals.json) {
            printf("%s-- bench %s\n", i > 0 ? "\n" : "", actions[i]);
            fflush(stdout);
        }
        c->json = json_object();
        const int result = measures[i](c, s, source);
        json_object_set_new(all, actions[i], c->json);
        worst = result != CLI_DONE ? result : worst;
    }
    c->json = all;
    return worst;
}

/* Of the actions, those that make rows. */
static bool has_rows(const char *action)
{
    static const char *const names[] = {"conv", "error", "gemm", "elementwise"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(action, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const settings *s = given;
    const char *source = words->n > 1 ? words->items[1] : NULL;
    int code = CLI_DONE;
    if (s->filter != NULL && !has_rows(words->items[0])) {
        return cli_usage("bench %s has no rows to choose from: --filter is for conv, error, gemm "
                         "and elementwise",
                         words->items[0]);
    }
    if (source != NULL && strcmp(words->items[0], "augment") != 0 &&
        strcmp(words->items[0], "all") != 0) {
        return cli_usage("bench %s takes no file '%s'", words->items[0], source);
    }
    for (size_t i = 0; actions[i] != NULL && code == CLI_DONE; i++) {
        if (strcmp(actions[i], words->items[0]) == 0) {
            code = measures[i](c, s, source);
        }
    }
    return code == CLI_DONE ? cli_json_print(c, code) : code;
}

static const cli_option options[] = {
    {.name = "arch",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, architecture),
     .argument = "NAME|FILE",
     .otherwise = "vgg19 for stylize, squeezenet for infer, vgg-s for train",
     .help = "architecture to measure, by name or a YAML file of layers; its weights are drawn at "
             "random"},
    {.name = "model",
     .kind = CLI_FILE,
     .offset = offsetof(settings, model),
     .argument = "MODEL",
     .help = "model to measure instead"},
    CLI_MODEL_OPTIONS(settings, files),
    {.name = "size",
     .kind = CLI_INT,
     .offset = offsetof(settings, size),
     .argument = "PIXELS",
     .otherwise = "512 for stylize; for train what the architecture is made for",
     .min = 16,
     .max = 65535,
     .help = "side of the square pictures of stylize and train"},
    {.name = "iterations",
     .kind = CLI_INT,
     .offset = offsetof(settings, iterations),
     .argument = "N",
     .initial = "5",
     .min = 2,
     .max = 1e6,
     .help = "of stylize, at least 2: the first is not in the median"},
    {.name = "profile",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, profile),
     .help = "of stylize: say what each kernel takes of an iteration"},
    {.name = "batch",
     .kind = CLI_INT,
     .offset = offsetof(settings, batch),
     .argument = "N",
     .otherwise = "1 for infer, 64 for train",
     .min = 1,
     .max = 65535,
     .help = "pictures that infer and train take at a time"},
    {.name = "filter",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, filter),
     .argument = "PATTERN",
     .otherwise = "all rows",
     .help = "of conv, error, gemm and elementwise: measure only the rows whose case and pass, as "
             "in 'vgg conv3_2 backward_data', contain it; * stands for anything"},
    {.name = "recipe",
     .kind = CLI_FILE,
     .offset = offsetof(settings, recipe),
     .argument = "FILE|light|photo",
     .initial = "photo",
     .help = "what augment does to the pictures"},
};

const cli_command cli_bench = {
    .name = "bench",
    .summary = "measure the device, and how near Reverie comes to its peak",
    .arguments = "WHAT [FOLDER]",
    .description =
        "`peak` measures multiply-adds, copying and launches. `conv` and `gemm` measure "
        "convolutions of VGG at 512 pixels, of GoogLeNet and ResNet at 224, and matrix products, "
        "with their largest deviation "
        "from double precision; `error` compares the algorithms of the convolutions in that. "
        "`elementwise` measures what is bound by memory, as shares of the "
        "rate of copying. `stylize` measures an iteration of style transfer, `infer` a "
        "forward pass, `train` a step of training with momentum and weight decay, `augment` a copy "
        "of "
        "each picture of a folder; `all` makes all of these, `augment` where a folder is given. "
        "All but `error` and `augment` state their "
        "figures as shares of the peak of the same run; "
        "operations are counted as direct computation. A row is the median of the runs of 0.3 s.",
    .example = "reverie bench peak\nreverie bench stylize --arch vgg19 --size 512 --json\n"
               "reverie bench conv --filter '1x1*backward'\n"
               "reverie bench all --json >bench.json",
    .actions = actions,
    .min_words = 1,
    .max_words = 2,
    .missing = "what to measure",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
