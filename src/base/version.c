/* The version of the library, and what can be left out of a build. */
/* SPDX-License-Identifier: MIT */
#include <reverie/reverie.h>

const char *rv_version(void)
{
    return RV_VERSION;
}

const char *rv_version_features(void)
{
    static const char features[] = ""
#ifdef RV_HAVE_CLBLAST
                                   ", CLBlast"
#endif
#ifdef RV_HAVE_CURL
                                   ", libcurl"
#endif
#ifdef RV_HAVE_TIFF
                                   ", TIFF"
#endif
#ifdef RV_HAVE_WEBP
                                   ", WebP"
#endif
        ;
    return features + (sizeof features > 1 ? 2 : 0);
}
