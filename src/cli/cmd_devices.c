/* reverie devices: what there is, whether it works, and what a GPU without OpenCL needs. */
/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct settings {
    bool report;
} settings;

static const char *const type_names[] = {"cpu", "gpu", "accelerator"};
static const char *const form_names[] = {"auto", "cpu", "gpu"};
static const char *const test_names[] = {"unknown", "passed", "failed"};

enum { COLUMNS = 10 };
static const char columns[] = "rllrrrllll";
static const char *const heading[COLUMNS] = {"index",    "name",  "type", "compute units",
                                             "memory",   "block", "form", "self-test",
                                             "platform", "driver"};

static json_t *device_json(const rv_device_info *d)
{
    return json_pack(
        "{s:i, s:o, s:o, s:o, s:s, s:i, s:I, s:I, s:i, s:s, s:s, s:o}", "index", d->index, "name",
        cli_json_text(d->name), "platform", cli_json_text(d->platform), "driver",
        cli_json_text(d->driver), "type", type_names[d->type], "compute_units", d->compute_units,
        "global_bytes", (json_int_t)d->global_bytes, "max_alloc_bytes",
        (json_int_t)d->max_alloc_bytes, "block", d->block, "form", form_names[d->form], "self_test",
        test_names[d->self_test], "self_test_message", cli_json_text(d->self_test_message));
}

static void fill_row(char **cells, const rv_device_info *d)
{
    cells[0] = cli_format("%d", d->index);
    cells[1] = cli_format("%s", d->name);
    cells[2] = cli_format("%s", type_names[d->type]);
    cells[3] = cli_format("%d", d->compute_units);
    cells[4] = cli_format("%.1f GiB", (double)d->global_bytes / 1073741824.0);
    cells[5] = cli_format("%d", d->block);
    cells[6] = cli_format("%s", form_names[d->form]);
    cells[7] = cli_format("%s", test_names[d->self_test]);
    cells[8] = cli_format("%s", d->platform);
    cells[9] = cli_format("%s", d->driver);
}

static int print_table(const rv_device_info *devices, size_t n)
{
    char **cells = calloc(n * COLUMNS, sizeof *cells);
    if (cells == NULL) {
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < n; i++) {
        fill_row(&cells[i * COLUMNS], &devices[i]);
    }
    const int code = cli_print_table(columns, heading, cells, n);
    cli_free_cells(cells, n * COLUMNS);
    for (size_t i = 0; i < n && code == CLI_DONE; i++) {
        if (devices[i].self_test == RV_SELF_TEST_FAILED) {
            printf("Device %d fails its self-test: %s\n", devices[i].index,
                   devices[i].self_test_message);
        }
    }
    return code;
}

/* What a bug report needs beside the table. */
static void print_report(const rv_device_info *devices, size_t n)
{
    static const char *const variables[] = {"REVERIE_DEVICE", "OCL_ICD_VENDORS", "XDG_CACHE_HOME",
                                            "POCL_CACHE_DIR", "POCL_DEVICES",    "RUSTICL_ENABLE",
                                            "REVERIE_CL_PATH"};
    printf("\nreverie %s\n", rv_version());
    for (size_t i = 0; i < n; i++) {
        const rv_device_info *d = &devices[i];
        printf("device %d: %" PRIu64 " bytes of memory, %" PRIu64 " in one buffer; %s, driver %s\n",
               d->index, d->global_bytes, d->max_alloc_bytes, d->platform, d->driver);
    }
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i]);
        printf("%s%s%s\n", variables[i], value != NULL ? "=" : " is not set",
               value != NULL ? value : "");
    }
}

/* Opening a device where there is none says what to install. */
static int fail_without_device(cli *c)
{
    const int code = cli_open_device(c);
    return code != CLI_DONE ? code : CLI_FAILED;
}

static int print(cli *c, const settings *s, const rv_device_info *devices, size_t n,
                 char *const *missing, size_t n_missing)
{
    int code = CLI_DONE;
    if (!c->globals.json && n > 0) {
        code = print_table(devices, n);
    }
    for (size_t i = 0; i < n_missing && !c->globals.json; i++) {
        printf("%s\n", missing[i]);
    }
    if (s->report && !c->globals.json && code == CLI_DONE) {
        print_report(devices, n);
    }
    json_t *list = json_array(), *gpus = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, device_json(&devices[i]));
    }
    for (size_t i = 0; i < n_missing; i++) {
        json_array_append_new(gpus, cli_json_text(missing[i]));
    }
    cli_json_set(c, "devices", list);
    cli_json_set(c, "gpus_without_opencl", gpus);
    return cli_json_print(c, code == CLI_DONE && n == 0 ? fail_without_device(c) : code);
}

static int run(cli *c, const void *given, const cli_list *words)
{
    (void)words;
    const settings *s = given;
    const rv_device_options options = cli_device_options(c);
    rv_device_info *devices = NULL;
    char **missing = NULL;
    size_t n = 0, n_missing = 0;
    int code = cli_status(rv_device_list(&devices, &n, &options));
    if (code == CLI_DONE) {
        code = cli_status(rv_device_missing(&missing, &n_missing));
    }
    if (code == CLI_DONE) {
        code = print(c, s, devices, n, missing, n_missing);
    }
    free(devices);
    free(missing);
    return code;
}

static const cli_option options[] = {
    {.name = "report",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, report),
     .help = "print more, for a bug report"},
};

const cli_command cli_devices = {
    .name = "devices",
    .summary = "list the OpenCL devices, test them, and say what is missing",
    .arguments = "[--report]",
    .description =
        "Lists every OpenCL device. Each is tested once with small known problems, in a child "
        "process, as a broken driver may crash; the verdict is kept. `form` and `block` are what "
        "Reverie's kernels are compiled for. Below the table stand graphics cards that no OpenCL "
        "driver serves, with the package to install.",
    .example = "reverie devices\nreverie devices --report --json",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
