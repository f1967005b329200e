/* JPEG through libjpeg-turbo: its scanline interface, with an error manager that never ends the process. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "image/rows.h"
#include "image/xmp.h"

#include <setjmp.h>
#include <stdio.h> /* before jpeglib.h */
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum {
    MAX_SCANS = 100, /* cameras and encoders write about ten; each costs a pass over the picture */
    MARKER_BYTES = 65533,
    SIDE = 65500,
};

static const char icc_tag[] = "ICC_PROFILE"; /* with the NULs that end them, as in the files */
static const char xmp_tag[] = "http://ns.adobe.com/xap/1.0/";
static const char xmp_more_tag[] = "http://ns.adobe.com/xmp/extension/";
static const char settings_tag[] = "reverie: ";

/* Errors of both directions. Every step that calls libjpeg runs under guard(), owns nothing itself, and so may
 * be left by longjmp. */
typedef struct trouble {
    struct jpeg_error_mgr manager; /* first: libjpeg hands a pointer to it back */
    jmp_buf jump;
    rv_status status;
    const char *name;
    char first_warning[JMSG_LENGTH_MAX];
    void (*explain)(j_common_ptr cinfo); /* may word the error itself by stop(), or NULL */
} trouble;

static void stop(trouble *t, rv_status status)
{
    t->status = status;
    longjmp(t->jump, 1);
}

static rv_status status_of(int code)
{
    switch (code) {
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:
    case JERR_IMAGE_TOO_BIG:
        return RV_ERR_MEMORY;
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_NOT_COMPILED:
        return RV_ERR_UNSUPPORTED;
    case JERR_FILE_WRITE:
        return RV_ERR_IO;
    default:
        return RV_ERR_FORMAT;
    }
}

static void on_error(j_common_ptr cinfo)
{
    trouble *t = (trouble *)cinfo->err;
    if (t->explain != NULL) {
        t->explain(cinfo);
    }
    char text[JMSG_LENGTH_MAX];
    t->manager.format_message(cinfo, text);
    const int code = t->manager.msg_code;
    if (code == JERR_SOF_UNSUPPORTED || code == JERR_BAD_PRECISION) {
        stop(t,
             rv_fail(RV_ERR_UNSUPPORTED,
                     "%s: a lossless JPEG or one of more than 8 bits cannot be read (%s); convert "
                     "it to PNG first",
                     t->name, text));
    }
    stop(t, rv_fail(status_of(code), "%s: JPEG: %s", t->name, text));
}

static void on_message(j_common_ptr cinfo, int level)
{
    trouble *t = (trouble *)cinfo->err;
    if (level < 0) {
        if (t->manager.num_warnings++ == 0) {
            t->manager.format_message(cinfo, t->first_warning);
        }
    }
}

static void on_output(j_common_ptr cinfo)
{
    (void)cinfo; /* libjpeg would print */
}

static struct jpeg_error_mgr *set_up(trouble *t, const char *name)
{
    t->name = name;
    jpeg_std_error(&t->manager);
    t->manager.error_exit = on_error;
    t->manager.emit_message = on_message;
    t->manager.output_message = on_output;
    return &t->manager;
}

static rv_status guard(trouble *t, void *payload, rv_status (*step)(void *payload))
{
    if (setjmp(t->jump) != 0) {
        return t->status;
    }
    return step(payload);
}

/* ---- Reading ---- */

typedef struct reader {
    struct jpeg_decompress_struct cinfo;
    trouble trouble;
    struct jpeg_source_mgr bytes;
    struct jpeg_progress_mgr progress;
    const rv_image_source *source;
    rv_image *image;
    rv_colours *colours;
    uint8_t *row;    /* [width, components] */
    JOCTET *icc;     /* by libjpeg's malloc */
    bool has_header; /* all up to the first scan */
    bool truncated;
    int whole_rows; /* that were there when the file ended */
} reader;

static bool jpeg_recognise(const rv_image_source *source)
{
    static const uint8_t start[3] = {0xFF, 0xD8, 0xFF};
    const size_t n = source->size < sizeof start ? source->size : sizeof start;
    return n >= 2 && memcmp(source->data, start, n) == 0;
}

static rv_status fail_truncated(const reader *r)
{
    const char *name = r->source->name;
    const size_t size = r->source->size;
    if (!r->has_header) {
        return rv_fail(RV_ERR_FORMAT,
                       "%s: the JPEG is cut off: its %zu bytes end within the header", name, size);
    }
    if (r->cinfo.buffered_image || jpeg_has_multiple_scans((j_decompress_ptr)&r->cinfo)) {
        return rv_fail(
            RV_ERR_FORMAT,
            "%s: the JPEG is cut off: its %zu bytes end in scan %d of a progressive picture; "
            "--allow-truncated keeps what there is",
            name, size, r->cinfo.input_scan_number);
    }
    return rv_fail(RV_ERR_FORMAT,
                   "%s: the JPEG is cut off: its %zu bytes end after %d of %u rows; "
                   "--allow-truncated keeps what there is",
                   name, size, r->whole_rows, r->cinfo.image_height);
}

static void explain_read(j_common_ptr cinfo)
{
    reader *r = cinfo->client_data;
    if (r->truncated && !r->has_header) {
        stop(&r->trouble, fail_truncated(r));
    }
}

static void nothing(j_decompress_ptr cinfo)
{
    (void)cinfo;
}

/* All bytes were there from the start, so this is the end of the file. With a made-up end marker libjpeg takes
 * the rest of the picture as grey. */
static boolean refill(j_decompress_ptr cinfo)
{
    static const JOCTET end[2] = {0xFF, JPEG_EOI};
    reader *r = cinfo->client_data;
    if (!r->truncated) {
        r->truncated = true;
        const int rows = (int)cinfo->input_iMCU_row * cinfo->max_v_samp_factor * DCTSIZE;
        r->whole_rows = rows < (int)cinfo->image_height ? rows : (int)cinfo->image_height;
        if (!r->source->allow_truncated) {
            stop(&r->trouble, fail_truncated(r));
        }
    }
    r->bytes.next_input_byte = end;
    r->bytes.bytes_in_buffer = sizeof end;
    return TRUE;
}

static void skip(j_decompress_ptr cinfo, long n)
{
    struct jpeg_source_mgr *bytes = cinfo->src;
    if (n <= 0) {
        return;
    }
    if ((size_t)n > bytes->bytes_in_buffer) {
        refill(cinfo);
        return;
    }
    bytes->next_input_byte += n;
    bytes->bytes_in_buffer -= (size_t)n;
}

static void watch(j_common_ptr cinfo)
{
    reader *r = cinfo->client_data;
    if (r->cinfo.input_scan_number > MAX_SCANS) {
        stop(&r->trouble, rv_fail(RV_ERR_FORMAT, "%s: the JPEG has more than %d scans",
                                  r->source->name, MAX_SCANS));
    }
}

static rv_status read_header(void *payload)
{
    reader *r = payload;
    struct jpeg_decompress_struct *c = &r->cinfo;
    jpeg_create_decompress(c);
    c->client_data = r;
    r->trouble.explain = explain_read;
    r->bytes = (struct jpeg_source_mgr){
        .next_input_byte = r->source->data,
        .bytes_in_buffer = r->source->size,
        .init_source = nothing,
        .fill_input_buffer = refill,
        .skip_input_data = skip,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = nothing,
    };
    c->src = &r->bytes;
    r->progress.progress_monitor = watch;
    c->progress = &r->progress;
    jpeg_save_markers(c, JPEG_COM, 0xFFFF);
    jpeg_save_markers(c, JPEG_APP0 + 1, 0xFFFF);
    jpeg_save_markers(c, JPEG_APP0 + 2, 0xFFFF);
    jpeg_read_header(c, TRUE);
    r->has_header = true;
    return rv_image_check_size(r->source, c->image_width, c->image_height);
}

static bool begins(const struct jpeg_marker_struct *m, const char *tag, size_t n)
{
    return m->data_length >= n && memcmp(m->data, tag, n) == 0;
}

static rv_status keep_metadata(reader *r)
{
    rv_image *image = r->image;
    const size_t xmp = sizeof xmp_tag, settings = sizeof settings_tag - 1;
    for (const struct jpeg_marker_struct *m = r->cinfo.marker_list; m != NULL; m = m->next) {
        const bool app1 = m->marker == JPEG_APP0 + 1;
        if (app1 && image->exif.data == NULL && begins(m, RV_EXIF_HEADER, RV_EXIF_HEADER_BYTES)) {
            RV_TRY(rv_blob_set(&image->exif, m->data, m->data_length, "EXIF"));
        } else if (app1 && image->xmp.data == NULL && begins(m, xmp_tag, xmp)) {
            RV_TRY(rv_blob_set(&image->xmp, m->data + xmp, m->data_length - xmp, "XMP"));
        } else if (m->marker == JPEG_COM && image->settings == NULL &&
                   begins(m, settings_tag, settings)) {
            rv_blob text = {0};
            RV_TRY(rv_blob_set(&text, m->data + settings, m->data_length - settings, "settings"));
            image->settings = (char *)text.data;
        }
    }
    return RV_OK;
}

/* Behind all else, as parts may come before the packet that they belong to. */
static rv_status keep_rest_of_xmp(reader *r)
{
    const size_t tag = sizeof xmp_more_tag;
    rv_xmp_rest rest = {0};
    rv_status status = RV_OK;
    for (const struct jpeg_marker_struct *m = r->cinfo.marker_list; m != NULL; m = m->next) {
        if (status == RV_OK && m->marker == JPEG_APP0 + 1 && begins(m, xmp_more_tag, tag)) {
            status = rv_xmp_add_part(&rest, &r->image->xmp, m->data + tag, m->data_length - tag);
        }
    }
    rv_xmp_take_rest(&r->image->xmp_more, &rest);
    return status;
}

static bool has_icc(const reader *r)
{
    for (const struct jpeg_marker_struct *m = r->cinfo.marker_list; m != NULL; m = m->next) {
        if (m->marker == JPEG_APP0 + 2 && begins(m, icc_tag, sizeof icc_tag)) {
            return true;
        }
    }
    return false;
}

static rv_status choose_colours(reader *r)
{
    struct jpeg_decompress_struct *c = &r->cinfo;
    rv_profile profile = {0};
    unsigned n = 0;
    if (has_icc(r)) {
        const long warnings = r->trouble.manager.num_warnings;
        if (jpeg_read_icc_profile(c, &r->icc, &n)) {
            profile.icc = r->icc;
            profile.icc_size = n;
        } else {
            rv_log(r->source->events, RV_LOG_WARNING,
                   "%s: parts of its colour profile are missing; colours are taken as sRGB",
                   r->source->name);
            r->trouble.manager.num_warnings = warnings;
        }
    } else {
        rv_exif_profile(&profile, &r->image->exif);
    }
    rv_pixel_format format = {.colours = 3, .bits = 8};
    switch (c->jpeg_color_space) {
    case JCS_GRAYSCALE:
        c->out_color_space = JCS_GRAYSCALE;
        format.colours = 1;
        break;
    case JCS_YCbCr:
    case JCS_RGB:
        c->out_color_space = JCS_RGB;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        c->out_color_space = JCS_CMYK;
        format.colours = 4;
        break;
    default:
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s: a JPEG of %d components cannot be read; convert it to "
                       "RGB first",
                       r->source->name, c->num_components);
    }
    return rv_colours_create(&r->colours, format, &profile, r->source);
}

/* Progressive pictures are kept whole as coefficients: enough for any sampling, not for more. */
static long memory_limit(const struct jpeg_decompress_struct *c)
{
    return (64L << 20) + 16 * (long)c->image_width * (long)c->image_height;
}

static rv_status start(void *payload)
{
    reader *r = payload;
    struct jpeg_decompress_struct *c = &r->cinfo;
    RV_TRY(rv_image_create(&r->image, (int)c->image_width, (int)c->image_height, 3, 8));
    if (r->source->look) {
        return RV_OK;
    }
    RV_TRY(keep_metadata(r));
    RV_TRY(keep_rest_of_xmp(r));
    RV_TRY(choose_colours(r));
    RV_TRY(rv_alloc(&r->row, c->image_width, 4, "a row of a JPEG"));
    c->mem->max_memory_to_use = memory_limit(c);
    jpeg_start_decompress(c);
    return RV_OK;
}

/* Adobe's programs write CMYK with 0 for full ink. */
static void invert(uint8_t *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        row[i] = (uint8_t)(255 - row[i]);
    }
}

static rv_status read_rows(void *payload)
{
    reader *r = payload;
    struct jpeg_decompress_struct *c = &r->cinfo;
    const size_t width = c->image_width;
    const bool inverted = c->out_color_space == JCS_CMYK && c->saw_Adobe_marker;
    while (c->output_scanline < c->output_height) {
        uint8_t *to = (uint8_t *)r->image->pixels + c->output_scanline * width * 3;
        JSAMPROW row = r->row;
        jpeg_read_scanlines(c, &row, 1);
        if (inverted) {
            invert(r->row, width * 4);
        }
        rv_colours_row(r->colours, to, r->row, width);
    }
    jpeg_finish_decompress(c);
    return RV_OK;
}

static void tell_warnings(const reader *r)
{
    const rv_events *events = r->source->events;
    if (r->truncated) {
        rv_log(events, RV_LOG_WARNING,
               "%s: the JPEG is cut off after %zu bytes; what is missing is grey", r->source->name,
               r->source->size);
    } else if (r->trouble.manager.num_warnings > 0) {
        rv_log(events, RV_LOG_WARNING, "%s: the JPEG is damaged: %ld warnings, the first: %s",
               r->source->name, r->trouble.manager.num_warnings, r->trouble.first_warning);
    }
}

static rv_status jpeg_decode(rv_image **out, const rv_image_source *source)
{
    *out = NULL;
    reader *r;
    RV_TRY(rv_alloc(&r, 1, sizeof *r, "reading a JPEG"));
    r->source = source;
    r->cinfo.err = set_up(&r->trouble, source->name);
    rv_status status = guard(&r->trouble, r, read_header);
    if (status == RV_OK) {
        status = guard(&r->trouble, r, start);
    }
    if (status == RV_OK && !source->look) {
        status = guard(&r->trouble, r, read_rows);
        if (status == RV_OK) {
            tell_warnings(r);
            rv_colours_give_profile(r->colours, r->image);
        }
    }
    if (status == RV_OK) {
        *out = r->image;
    } else {
        rv_image_destroy(r->image);
    }
    jpeg_destroy_decompress(&r->cinfo);
    rv_colours_destroy(r->colours);
    free(r->row);
    free(r->icc);
    free(r);
    return status;
}

/* ---- Writing ---- */

typedef struct writer {
    struct jpeg_compress_struct cinfo;
    trouble trouble;
    const rv_image_output *to;
    char *block; /* a marker being put together */
} writer;

/* A marker of TAG and data; too large a one is left out. */
static rv_status write_marker(writer *w, int marker, const char *tag, size_t tag_bytes,
                              const void *data, size_t n)
{
    if (n > MARKER_BYTES - tag_bytes) {
        return RV_OK;
    }
    RV_TRY(rv_alloc(&w->block, tag_bytes + n, 1, "metadata"));
    memcpy(w->block, tag, tag_bytes);
    memcpy(w->block + tag_bytes, data, n);
    jpeg_write_marker(&w->cinfo, marker, (const JOCTET *)w->block, (unsigned)(tag_bytes + n));
    free(w->block);
    w->block = NULL;
    return RV_OK;
}

static rv_status write_rest_of_xmp(writer *w)
{
    const rv_blob *rest = &w->to->metadata->xmp_more;
    const size_t tag = sizeof xmp_more_tag;
    RV_TRY(rv_alloc(&w->block, MARKER_BYTES, 1, "metadata"));
    memcpy(w->block, xmp_more_tag, tag);
    for (size_t at = 0; at < rest->size - RV_XMP_GUID;) {
        const size_t n = rv_xmp_part((uint8_t *)w->block + tag, rest, at, MARKER_BYTES - tag);
        jpeg_write_marker(&w->cinfo, JPEG_APP0 + 1, (const JOCTET *)w->block,
                          (unsigned)(tag + RV_XMP_PART_HEADER + n));
        at += n;
    }
    free(w->block);
    w->block = NULL;
    return RV_OK;
}

static rv_status write_metadata(writer *w)
{
    const rv_image_metadata *m = w->to->metadata;
    if (m->exif.data != NULL) {
        RV_TRY(write_marker(w, JPEG_APP0 + 1, "", 0, m->exif.data, m->exif.size));
    }
    if (m->xmp.data != NULL) {
        RV_TRY(write_marker(w, JPEG_APP0 + 1, xmp_tag, sizeof xmp_tag, m->xmp.data, m->xmp.size));
    }
    if (m->xmp.data != NULL && m->xmp_more.data != NULL) {
        RV_TRY(write_rest_of_xmp(w));
    }
    if (m->icc.data != NULL) {
        jpeg_write_icc_profile(&w->cinfo, m->icc.data, (unsigned)m->icc.size);
    }
    if (m->settings != NULL) {
        RV_TRY(write_marker(w, JPEG_COM, settings_tag, sizeof settings_tag - 1, m->settings,
                            strlen(m->settings)));
    }
    return RV_OK;
}

static rv_status write_all(void *payload)
{
    writer *w = payload;
    struct jpeg_compress_struct *c = &w->cinfo;
    jpeg_create_compress(c);
    jpeg_stdio_dest(c, w->to->file);
    c->image_width = (JDIMENSION)w->to->image->width;
    c->image_height = (JDIMENSION)w->to->image->height;
    c->input_components = 3;
    c->in_color_space = JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, w->to->options->quality, TRUE);
    c->comp_info[0].h_samp_factor = c->comp_info[0].v_samp_factor =
        w->to->options->subsample ? 2 : 1;
    jpeg_start_compress(c, TRUE);
    RV_TRY(write_metadata(w));
    while (c->next_scanline < c->image_height) {
        const void *from = rv_rows_get(w->to->rows, (int)c->next_scanline);
        JSAMPROW row;
        memcpy(&row, &from, sizeof row); /* which libjpeg only reads */
        jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
    return RV_OK;
}

static rv_status jpeg_encode(const rv_image_output *to)
{
    writer *w;
    RV_TRY(rv_alloc(&w, 1, sizeof *w, "writing a JPEG"));
    w->to = to;
    w->cinfo.err = set_up(&w->trouble, to->path);
    const rv_status status = guard(&w->trouble, w, write_all);
    jpeg_destroy_compress(&w->cinfo);
    free(w->block);
    free(w);
    return status;
}

const rv_image_format rv_jpeg_format = {
    .name = "JPEG",
    .extensions = {".jpg", ".jpeg"},
    .bits = 8,
    .side = SIDE,
    .recognise = jpeg_recognise,
    .decode = jpeg_decode,
    .encode = jpeg_encode,
};
