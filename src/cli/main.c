/* The program: finds the command, opens its context, and turns its result into an exit code. */
/* SPDX-License-Identifier: MIT */
#include "base/signal.h"
#include "base/terminal.h"
#include "cli/cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const cli_command *const cli_commands[] = {
    &cli_stylize,  &cli_dream,     &cli_classify, &cli_extract, &cli_augment, &cli_train,
    &cli_evaluate, &cli_visualize, &cli_models,   &cli_devices, &cli_bench,   &cli_tune,
    NULL};

static const char *const progress_styles[] = {"auto", "none", "json", NULL};

static const char *const winograd_choices[] = {"auto", "f2", "f4", "off", NULL};

#define AT(member) offsetof(cli_globals, member)
const cli_option cli_global_options[] = {
    {.name = "device",
     .kind = CLI_TEXT,
     .offset = AT(device),
     .argument = "SPEC",
     .otherwise = "REVERIE_DEVICE, else the best that works",
     .help = "index, 'cpu', 'gpu' or part of a name, as `reverie devices` lists them"},
    {.name = "threads",
     .kind = CLI_INT,
     .offset = AT(threads),
     .argument = "N",
     .otherwise = "all",
     .min = 1,
     .max = 4096,
     .help = "cores to use, where the device is a processor"},
    {.name = "winograd",
     .kind = CLI_CHOICE,
     .offset = AT(winograd),
     .argument = "auto|f2|f4|off",
     .initial = "auto",
     .choices = winograd_choices,
     .help = "how convolutions with windows of 3x3 save products: by F(2x2,3x3), by F(4x4,3x3), "
             "which rounds more coarsely, not at all, or whatever is fastest, but when training "
             "not F(4x4,3x3)"},
    {.name = "memory",
     .kind = CLI_BYTES,
     .offset = AT(memory),
     .argument = "BYTES",
     .otherwise = "all there is",
     .min = 1e6,
     .max = 1e18,
     .help = "what the program may take, such as 600M or 2G; with less than it would like it takes "
             "longer for the same result"},
    {.name = "seed",
     .kind = CLI_COUNT,
     .offset = AT(seed),
     .argument = "N",
     .initial = "0",
     .max = UINT32_MAX,
     .help = "start of everything that is drawn at random"},
    {.name = "json",
     .kind = CLI_FLAG,
     .offset = AT(json),
     .help = "print one JSON object instead of text"},
    {.name = "progress",
     .kind = CLI_CHOICE,
     .offset = AT(progress),
     .argument = "auto|none|json",
     .initial = "auto",
     .choices = progress_styles,
     .help =
         "a line that is redrawn on a terminal and written every 30 s elsewhere, nothing, or an "
         "object a line; on the standard error output"},
    {.name = "quiet",
     .letter = 'q',
     .kind = CLI_FLAG,
     .offset = AT(quiet),
     .help = "say nothing but errors and results"},
    {.name = "verbose",
     .letter = 'v',
     .kind = CLI_FLAG,
     .offset = AT(verbose),
     .help = "say more about what is done"},
    {.name = "version",
     .kind = CLI_FLAG,
     .offset = AT(version),
     .help = "print the version and the optional features, and end"},
    {.name = "help",
     .letter = 'h',
     .kind = CLI_FLAG,
     .offset = AT(help),
     .help = "print the help of the program or of the command, and end"},
    {.name = "self-test",
     .hidden = true,
     .kind = CLI_TEXT,
     .offset = AT(self_test),
     .argument = "INDEX",
     .help = "test this device in this process"},
    {.name = "generate",
     .hidden = true,
     .kind = CLI_TEXT,
     .offset = AT(generate),
     .argument = "man|completion",
     .help = "print the man page or the bash completion"},
};
#undef AT
const size_t cli_n_global_options = sizeof cli_global_options / sizeof cli_global_options[0];

static void on_log(void *payload, rv_log_level level, const char *text)
{
    const cli_globals *globals = &((cli *)payload)->globals;
    if (globals->quiet || (level == RV_LOG_DEBUG && !globals->verbose)) {
        return;
    }
    rv_terminal_line(stderr, level == RV_LOG_WARNING ? "reverie: warning: " : "reverie: ", text);
}

static void on_progress(void *payload, const rv_progress *progress)
{
    const cli_globals *globals = &((cli *)payload)->globals;
    const bool silent = globals->quiet && globals->progress == RV_PROGRESS_AUTO;
    rv_terminal_progress(stderr, silent ? RV_PROGRESS_NONE : (rv_progress_style)globals->progress,
                         progress);
}

static bool on_cancelled(void *payload)
{
    (void)payload;
    return rv_signal_caught();
}

/* The file of this program, which the self-test of a device runs as a child. */
static void find_self(cli *c, const char *called)
{
    const ssize_t n = readlink("/proc/self/exe", c->self, sizeof c->self - 1);
    if (n > 0) {
        c->self[n] = '\0';
    } else {
        snprintf(c->self, sizeof c->self, "%s", called);
    }
}

static int print_version(cli *c)
{
    const char *features = rv_version_features();
    json_t *list = json_array();
    for (const char *f = features; *f != '\0'; f += strspn(f, ", ")) {
        const size_t n = strcspn(f, ",");
        json_array_append_new(list, json_stringn(f, n));
        f += n;
    }
    cli_json_set(c, "features", list);
    if (!c->globals.json) {
        printf("reverie %s\nOptional features: %s\n", rv_version(),
               features[0] != '\0' ? features : "none");
    }
    return cli_json_print(c, CLI_DONE);
}

static int self_test(const char *text)
{
    char *end;
    const long index = strtol(text, &end, 10);
    if (end == text || *end != '\0' || index < 0 || index > 9999) {
        return cli_usage("--self-test takes the index of a device, not '%s'", text);
    }
    return cli_status(rv_device_self_test((int)index));
}

static int generate(const char *what)
{
    if (strcmp(what, "man") == 0) {
        cli_print_man();
    } else if (strcmp(what, "completion") == 0) {
        cli_print_completion();
    } else {
        return cli_usage("--generate takes man or completion, not '%s'", what);
    }
    return CLI_DONE;
}

static const cli_command *find_command(const char *name)
{
    const char *names[16];
    size_t n = 0;
    for (; cli_commands[n] != NULL; n++) {
        if (strcmp(cli_commands[n]->name, name) == 0) {
            return cli_commands[n];
        }
        names[n] = cli_commands[n]->name;
    }
    if (access(name, R_OK) == 0) {
        cli_say("there is no command '%s', but a file; to style it: reverie stylize PHOTO --style "
                "IMAGE",
                name);
        return NULL;
    }
    cli_say("there is no command '%s'; did you mean '%s'? (reverie --help lists all)", name,
            names[rv_nearest(name, names, n)]);
    return NULL;
}

static int check_words(const cli_command *command, const cli_list *words)
{
    if (words->n < command->min_words) {
        return cli_usage("%s needs %s: reverie %s %s", command->name, command->missing,
                         command->name, command->arguments);
    }
    if (command->actions != NULL) {
        size_t n = 0;
        while (command->actions[n] != NULL && strcmp(command->actions[n], words->items[0]) != 0) {
            n++;
        }
        if (command->actions[n] == NULL) {
            return cli_usage("%s has no '%s'; did you mean '%s'?", command->name, words->items[0],
                             command->actions[rv_nearest(words->items[0], command->actions, n)]);
        }
    }
    if (words->n > command->max_words) {
        return cli_usage("%s has no use for '%s': reverie %s %s", command->name,
                         words->items[command->max_words], command->name, command->arguments);
    }
    return CLI_DONE;
}

static int check_globals(const cli_globals *globals)
{
    if (globals->quiet && globals->verbose) {
        return cli_usage("--quiet and --verbose exclude each other");
    }
    return CLI_DONE;
}

/* argv[0] is the command's name. */
static int run_command(cli *c, const cli_table *globals, const cli_command *command, int argc,
                       char **argv)
{
    void *settings = calloc(1, command->settings_size);
    cli_list words = {0};
    const cli_table tables[] = {*globals, {command->options, command->n_options, settings}};
    int code = settings != NULL ? cli_options_init(&tables[1]) : cli_out_of_memory();
    if (code == CLI_DONE) {
        code = cli_options_parse(tables, 2, argc, argv, &words, NULL);
    }
    if (code == CLI_DONE && c->globals.help) {
        cli_print_help(command);
        goto cleanup;
    }
    if (code == CLI_DONE && c->globals.version) {
        code = print_version(c);
        goto cleanup;
    }
    if (code == CLI_DONE) {
        code = check_globals(&c->globals);
    }
    if (code == CLI_DONE) {
        code = check_words(command, &words);
    }
    if (code == CLI_DONE) {
        code = command->run(c, settings, &words);
        rv_terminal_finish(stderr);
    }
cleanup:
    if (settings != NULL) {
        cli_options_release(&tables[1]);
    }
    free(settings);
    cli_list_release(&words);
    return code;
}

static int run(cli *c, int argc, char **argv)
{
    const cli_table globals = {cli_global_options, cli_n_global_options, &c->globals};
    cli_list words = {0};
    int at = argc;
    int code = cli_options_init(&globals);
    if (code == CLI_DONE) {
        code = cli_options_parse(&globals, 1, argc, argv, &words, &at);
    }
    cli_list_release(&words);
    if (code != CLI_DONE) {
        return code;
    }
    if (c->globals.self_test != NULL) {
        return self_test(c->globals.self_test);
    }
    if (c->globals.generate != NULL) {
        return generate(c->globals.generate);
    }
    if (at < argc) {
        const cli_command *command = find_command(argv[at]);
        return command != NULL ? run_command(c, &globals, command, argc - at, argv + at)
                               : CLI_USAGE;
    }
    if (c->globals.version) {
        return print_version(c);
    }
    if (c->globals.help) {
        cli_print_help(NULL);
        return CLI_DONE;
    }
    return cli_usage("name a command; reverie --help lists them");
}

/* Whether --json stands among the arguments; parsing may have failed before it. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

/* A file that is opened must not become the standard output because that was closed. Reading only: to write there
 * stays an error. */
static void occupy_closed_streams(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDONLY);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
}

int main(int argc, char **argv)
{
    occupy_closed_streams();
    static cli c;
    c.events = (rv_events){&c, on_log, on_progress, on_cancelled};
    c.json = json_object();
    c.argc = argc;
    c.argv = argv;
    find_self(&c, argc > 0 ? argv[0] : "reverie");
    rv_signal_install();
    int code = c.json != NULL ? run(&c, argc, argv) : cli_out_of_memory();
    if (c.json != NULL && code != CLI_DONE) {
        c.globals.json = c.globals.json || asks_for_json(argc, argv);
        code = cli_json_print(&c, code);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_say("cannot write to the standard output");
        code = code == CLI_DONE ? CLI_FAILED : code;
    }
    rv_device_close(c.device);
    const cli_table globals = {cli_global_options, cli_n_global_options, &c.globals};
    cli_options_release(&globals);
    json_decref(c.json);
    return code;
}
