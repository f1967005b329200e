/* Files installed with the library: beside the code, in a build tree, or where the environment says. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <stdlib.h>
#include <string.h>

TestSuite(installed);

Test(installed, a_build_tree_has_what_is_in_data)
{
    char *path;
    unsetenv("REVERIE_DATA_DIR");
    RV_ASSERT_OK(rv_installed_file(&path, "README.md"));
    cr_assert(strstr(path, "/share/reverie/README.md") != NULL, "%s", path);
    cr_assert(rv_path_same_file(path, "data/README.md"));
    free(path);
}

Test(installed, the_environment_goes_first_and_alone)
{
    char *path;
    rv_test_write(rv_test_path("some"), "x", 1);
    setenv("REVERIE_DATA_DIR", rv_test_folder(), 1);
    RV_ASSERT_OK(rv_installed_file(&path, "some"));
    cr_assert_str_eq(path, rv_test_path("some"));
    free(path);
    RV_ASSERT_FAILS(rv_installed_file(&path, "README.md"), RV_ERR_NOT_FOUND,
                    rv_test_path("README.md"));
    cr_assert_null(path);
    setenv("REVERIE_DATA_DIR", "", 1);
    RV_ASSERT_OK(rv_installed_file(&path, "README.md"));
    free(path);
    RV_ASSERT_FAILS(rv_installed_file(&path, "none"), RV_ERR_NOT_FOUND, "share/reverie/none");
}
