/* show/canvas_file.c: the surfaces of the three formats, and the bytes of the file.
 *
 * The same drawing gives the same bytes: no times, no names made up. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/file.h"
#include "show/canvas_parts.h"

enum { PNG_SCALE = 2 }; /* pixels a unit: sharp on today's screens */

/* PDF wants a date of creation; the day of "Attention is all you need". */
static const char pdf_date[] = "2017-06-12T00:00:00Z";

/* ---- the start ---- */

/* Text alike in all formats: no hinting to a pixel grid. */
static void set_fonts(attn_canvas *canvas) {
    PangoFontMap *fonts = pango_cairo_font_map_get_default();
    cairo_font_options_t *options = cairo_font_options_create();
    canvas->pango = pango_font_map_create_context(fonts);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    pango_cairo_context_set_font_options(canvas->pango, options);
    pango_context_set_round_glyph_positions(canvas->pango, FALSE);
    cairo_font_options_destroy(options);
}

/* The name of the font that is measured with; false when there is none at all. */
static bool name_family(attn_canvas *canvas) {
    PangoFontFamily **families = NULL;
    int count = 0;
    pango_font_map_list_families(pango_context_get_font_map(canvas->pango), &families, &count);
    g_free(families);
    if (count == 0) {
        return false;
    }
    PangoFontDescription *wanted = pango_font_description_from_string("sans-serif 12");
    PangoFont *font = pango_context_load_font(canvas->pango, wanted);
    pango_font_description_free(wanted);
    if (font == NULL) {
        return false;
    }
    PangoFontDescription *found = pango_font_describe(font);
    attn_utf8_quote(canvas->family, sizeof canvas->family,
                    pango_font_description_get_family(found));
    pango_font_description_free(found);
    g_object_unref(font);
    return true;
}

attn_status attn_canvas_create(attn_canvas_format format, attn_canvas **out, attn_error *error) {
    *out = NULL;
    attn_status status = attn_cairo_open(error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_canvas *canvas = attn_alloc_zero(1, sizeof *canvas);
    if (canvas == NULL) {
        return attn_fail_memory(error, sizeof *canvas);
    }
    canvas->format = format;
    set_fonts(canvas);
    if (!name_family(canvas)) {
        attn_canvas_free(canvas);
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1,
                         "install one that fontconfig finds, such as DejaVu Sans",
                         "no font is installed");
    }
    *out = canvas;
    return ATTN_OK;
}

void attn_canvas_free(attn_canvas *canvas) {
    if (canvas == NULL) {
        return;
    }
    if (canvas->cairo != NULL) {
        cairo_destroy(canvas->cairo);
        cairo_surface_destroy(canvas->surface);
    }
    g_object_unref(canvas->pango);
    attn_free(canvas->file.data);
    attn_free(canvas->svg_text.data);
    attn_free(canvas);
}

static cairo_status_t collect(void *context, const unsigned char *data, unsigned int length) {
    attn_canvas *canvas = context;
    attn_canvas_append(canvas, &canvas->file, (const char *)data, length);
    return canvas->error.status == ATTN_OK ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_NO_MEMORY;
}

static cairo_surface_t *create_surface(attn_canvas *canvas, double width, double height) {
    cairo_surface_t *surface;
    if (canvas->format == ATTN_CANVAS_PNG) {
        return cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width * PNG_SCALE,
                                          (int)height * PNG_SCALE);
    }
    if (canvas->format == ATTN_CANVAS_SVG) {
        surface = cairo_svg_surface_create_for_stream(collect, canvas, width, height);
        cairo_svg_surface_set_document_unit(surface, CAIRO_SVG_UNIT_PX);
        return surface;
    }
    surface = cairo_pdf_surface_create_for_stream(collect, canvas, width, height);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, canvas->title);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATOR, "attn");
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, pdf_date);
    return surface;
}

void attn_canvas_begin(attn_canvas *canvas, double width, double height, attn_color background,
                       const char *title) {
    if (canvas->error.status != ATTN_OK) {
        return;
    }
    width = ceil(width);
    height = ceil(height);
    if (width > ATTN_CANVAS_MOST_SIDE || height > ATTN_CANVAS_MOST_SIDE ||
        width * height > ATTN_CANVAS_MOST_AREA) {
        (void)attn_fail(&canvas->error, ATTN_ERR_ARGUMENT, NULL, -1,
                        "take a shorter sentence, --words, or another view",
                        "the picture would be %.0f x %.0f; the limits are %.0f per side and an "
                        "area of %.0f million",
                        width, height, ATTN_CANVAS_MOST_SIDE, ATTN_CANVAS_MOST_AREA / 1e6);
        return;
    }
    attn_utf8_quote(canvas->title, sizeof canvas->title, title);
    canvas->surface = create_surface(canvas, width, height);
    canvas->cairo = cairo_create(canvas->surface);
    if (canvas->format == ATTN_CANVAS_PNG) {
        cairo_scale(canvas->cairo, PNG_SCALE, PNG_SCALE);
    }
    attn_canvas_fill(canvas, 0, 0, width, height, background);
}

/* ---- the end ---- */

/* cairo's status, as ours. */
static void finish_surface(attn_canvas *canvas) {
    cairo_status_t result = cairo_status(canvas->cairo);
    if (result == CAIRO_STATUS_SUCCESS && canvas->format == ATTN_CANVAS_PNG) {
        result = cairo_surface_write_to_png_stream(canvas->surface, collect, canvas);
    }
    cairo_surface_finish(canvas->surface);
    result = result == CAIRO_STATUS_SUCCESS ? cairo_surface_status(canvas->surface) : result;
    if (result == CAIRO_STATUS_NO_MEMORY) {
        attn_canvas_fail_memory(canvas, canvas->file.room);
    } else if (result != CAIRO_STATUS_SUCCESS && canvas->error.status == ATTN_OK) {
        (void)attn_fail(&canvas->error, ATTN_ERR_UNSUPPORTED, "cairo", -1, NULL, "cannot draw: %s",
                        cairo_status_to_string(result));
    }
}

/* The place of `mark` in the file, or its end. */
static size_t find_mark(const attn_canvas_bytes *file, size_t from, const char *mark) {
    size_t length = strlen(mark);
    for (size_t i = from; i + length <= file->size; i++) {
        if (memcmp(file->data + i, mark, length) == 0) {
            return i;
        }
    }
    return file->size;
}

static attn_status save_svg(attn_canvas *canvas, const char *path, attn_error *error) {
    static const char end[] = "</g>\n</svg>\n";
    attn_canvas_bytes head = {0}, *file = &canvas->file;
    char group[256];
    size_t open = find_mark(file, find_mark(file, 0, "<svg"), ">") + 1, close = file->size;
    while (close > open && memcmp(file->data + close - 1, "<", 1) != 0) {
        close--; /* of </svg> */
    }
    attn_canvas_append(canvas, &head, "\n<title>", 8);
    attn_canvas_append_escaped(canvas, &head, canvas->title);
    attn_canvas_append(canvas, &head, "</title>", 8);
    int used = snprintf(group, sizeof group, "<g font-family=\"'%s', sans-serif\">\n",
                        strpbrk(canvas->family, "<>&\"'") == NULL ? canvas->family : "sans-serif");
    attn_status status = canvas->error.status;
    if (status == ATTN_OK && close > open) {
        const attn_bytes pieces[] = {{file->data, open},
                                     {head.data, head.size},
                                     {file->data + open, close - 1 - open},
                                     {group, (size_t)used},
                                     {canvas->svg_text.data, canvas->svg_text.size},
                                     {end, sizeof end - 1}};
        status = attn_file_replace(path, pieces, sizeof pieces / sizeof pieces[0], error);
    }
    attn_free(head.data);
    return status;
}

attn_status attn_canvas_save(attn_canvas *canvas, const char *path, attn_error *error) {
    if (canvas->error.status == ATTN_OK) {
        finish_surface(canvas);
    }
    attn_status status = canvas->error.status;
    if (status == ATTN_OK && canvas->format == ATTN_CANVAS_SVG) {
        status = save_svg(canvas, path, error);
    } else if (status == ATTN_OK) {
        const attn_bytes bytes = {canvas->file.data, canvas->file.size};
        status = attn_file_replace(path, &bytes, 1, error);
    }
    if (canvas->error.status != ATTN_OK && error != NULL) {
        *error = canvas->error;
    }
    return status;
}
