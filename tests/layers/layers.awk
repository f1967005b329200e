# Reads the sources and prints a line for each rule of the house that is broken; exit 1 if any is.
# SPDX-License-Identifier: MIT
#
# Paths are relative to the root of the tree (ROOT/src/graph/plan.c is given as src/graph/plan.c). Calls go down:
# a folder includes its own headers and those of folders below it.

function broken(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; failed = 1 }

# The line without comments and the insides of strings; `inside` carries a comment over lines.
function code_of(line,    out, c, two, i, n, quote) {
    out = ""; quote = ""; n = length(line)
    for (i = 1; i <= n; i++) {
        c = substr(line, i, 1); two = substr(line, i, 2)
        if (inside) { if (two == "*/") { inside = 0; i++ } }
        else if (quote != "") { if (c == "\\") i++; else if (c == quote) { quote = ""; out = out c } }
        else if (two == "/*") { inside = 1; i++ }
        else if (two == "//") return out
        else { if (c == "\"" || c == "'") quote = c; out = out c }
    }
    return out
}

function check_folder(header,    to) {
    to = substr(header, 1, index(header, "/") - 1)
    if (to == folder) return
    if (header ~ /\/internal\.h$/) broken("includes the private header of " to)
    if (folder == "cli") {
        if (header != "base/terminal.h" && header != "base/signal.h")
            broken("the program includes " header "; it may use <reverie/*>, base/terminal.h and base/signal.h")
    } else if (!(to in rank)) broken("includes " header " of no known folder")
    else if (folder == "image" && to != "base") broken("image includes " header "; it knows only base")
    else if (rank[to] >= rank[folder]) broken("calls go down only: " folder " includes " header)
}

BEGIN {
    n = split("base=0 device=1 image=2 tensor=2 ops=3 graph=4 dataset=5 model=5 optim=5 stages=6 cli=7", pairs, " ")
    for (i = 1; i <= n; i++) { split(pairs[i], pair, "="); rank[pair[1]] = pair[2] }
}

FNR == 1 {
    inside = 0
    n = split(FILENAME, parts, "/")
    folder = parts[1] == "src" ? parts[2] : ""
    public = FILENAME ~ /^include\//
    library = parts[1] == "src" && folder != "cli"
    if (library && !(folder in rank)) broken("src/" folder " is no folder of the layers")
    if ($0 !~ /^\/\* [^ ]/) broken("the first line is a comment on what the file is for")
    licence = 0
}
licence == FNR && FNR > 1 && $0 !~ /SPDX-License-Identifier: MIT/ {
    broken("the line behind the first comment is SPDX-License-Identifier: MIT")
}
FNR == 601 { broken("more than 600 lines: split the file by concept") }

{
    code = code_of($0)
    if (licence == 0 && !inside) licence = FNR + 1
}

$0 ~ /^[ \t]*#[ \t]*include/ && code ~ /include/ {
    if (match($0, /<[^>]*>/)) {
        header = substr($0, RSTART + 1, RLENGTH - 2)
        if (header ~ /^CL\// && folder != "device") broken("only src/device includes <" header ">")
    } else if (match($0, /"[^"]*"/)) {
        header = substr($0, RSTART + 1, RLENGTH - 2)
        if (header ~ /^reverie\//) broken("public headers are included as <" header ">")
        else if (public) broken("a public header includes \"" header "\"")
        else if (folder != "" && header ~ /\//) check_folder(header)
    }
    next
}

library && match(code, /(^|[^A-Za-z0-9_])(exit|_exit|_Exit|quick_exit|abort|printf|vprintf|puts|putchar|perror)[ ]*\(/) {
    if (FILENAME != "src/base/signal.c") broken("the library never prints, exits or aborts")
}
library && code ~ /(^|[^A-Za-z0-9_])(stdout|stderr)([^A-Za-z0-9_]|$)/ { broken("the library knows no stdout or stderr") }
folder != "" && match(code, /(^|[^A-Za-z0-9_])goto +[A-Za-z0-9_]+/) && code !~ /goto +cleanup *;/ {
    broken("the one goto label is cleanup")
}

END { exit failed }
