/* image/cairo.h: cairo and pango, opened when something is first drawn. Include it in the place of their headers.
 *
 * They bring forty libraries with them, X11's among these, which a translation and a server do without. A function that is used anew
 * is added to the list. */
#ifndef ATTN_IMAGE_CAIRO_H
#define ATTN_IMAGE_CAIRO_H

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <cairo.h>
#include <pango/pangocairo.h>

#include "attn/status.h"

/* clang-format off */
#define ATTN_CAIRO_FUNCTIONS(X)                                                                    \
    X(cairo_arc) X(cairo_create) X(cairo_curve_to) X(cairo_destroy) X(cairo_fill)                   \
    X(cairo_fill_preserve) X(cairo_font_options_create) X(cairo_font_options_destroy)               \
    X(cairo_font_options_set_antialias) X(cairo_font_options_set_hint_metrics)                      \
    X(cairo_font_options_set_hint_style) X(cairo_get_source) X(cairo_image_surface_create)          \
    X(cairo_image_surface_get_data) X(cairo_image_surface_get_height)                               \
    X(cairo_image_surface_get_stride) X(cairo_image_surface_get_width) X(cairo_line_to)             \
    X(cairo_move_to) X(cairo_new_path) X(cairo_paint) X(cairo_pattern_set_filter)                   \
    X(cairo_pdf_surface_create_for_stream) X(cairo_pdf_surface_set_metadata) X(cairo_rectangle)     \
    X(cairo_restore) X(cairo_rotate) X(cairo_save) X(cairo_scale) X(cairo_select_font_face)         \
    X(cairo_set_dash) X(cairo_set_font_size) X(cairo_set_line_width) X(cairo_set_source_rgb)        \
    X(cairo_set_source_rgba) X(cairo_set_source_surface) X(cairo_show_text) X(cairo_status)         \
    X(cairo_status_to_string) X(cairo_stroke) X(cairo_surface_destroy) X(cairo_surface_finish)      \
    X(cairo_surface_flush) X(cairo_surface_mark_dirty) X(cairo_surface_status)                      \
    X(cairo_surface_write_to_png_stream) X(cairo_svg_surface_create_for_stream)                     \
    X(cairo_svg_surface_set_document_unit) X(cairo_text_extents) X(cairo_translate) X(g_free)       \
    X(g_object_unref) X(pango_cairo_context_set_font_options) X(pango_cairo_font_map_get_default)   \
    X(pango_cairo_show_layout_line) X(pango_context_get_font_map) X(pango_context_load_font)        \
    X(pango_context_set_round_glyph_positions) X(pango_font_describe)                               \
    X(pango_font_description_free) X(pango_font_description_from_string)                            \
    X(pango_font_description_get_family) X(pango_font_description_set_absolute_size)                \
    X(pango_font_description_set_weight) X(pango_font_map_create_context)                           \
    X(pango_font_map_list_families) X(pango_layout_get_line_count)                                  \
    X(pango_layout_get_line_readonly) X(pango_layout_get_size) X(pango_layout_get_text)             \
    X(pango_layout_get_unknown_glyphs_count) X(pango_layout_line_get_extents) X(pango_layout_new)   \
    X(pango_layout_set_font_description) X(pango_layout_set_single_paragraph_mode)                  \
    X(pango_layout_set_text) X(pango_layout_set_width) X(pango_layout_set_wrap)
/* clang-format on */

typedef struct attn_cairo_functions {
#define ATTN_CAIRO_FIELD(name) __typeof__(name) *name;
    ATTN_CAIRO_FUNCTIONS(ATTN_CAIRO_FIELD)
#undef ATTN_CAIRO_FIELD
} attn_cairo_functions;

/* All NULL before attn_cairo_open, which whoever begins a drawing calls; any thread may. ATTN_ERR_UNSUPPORTED: the
 * libraries are not installed. */
extern attn_cairo_functions attn_cairo;
ATTN_MUST_CHECK attn_status attn_cairo_open(attn_error *error);

#undef g_free
#define cairo_arc                                attn_cairo.cairo_arc
#define cairo_create                             attn_cairo.cairo_create
#define cairo_curve_to                           attn_cairo.cairo_curve_to
#define cairo_destroy                            attn_cairo.cairo_destroy
#define cairo_fill                               attn_cairo.cairo_fill
#define cairo_fill_preserve                      attn_cairo.cairo_fill_preserve
#define cairo_font_options_create                attn_cairo.cairo_font_options_create
#define cairo_font_options_destroy               attn_cairo.cairo_font_options_destroy
#define cairo_font_options_set_antialias         attn_cairo.cairo_font_options_set_antialias
#define cairo_font_options_set_hint_metrics      attn_cairo.cairo_font_options_set_hint_metrics
#define cairo_font_options_set_hint_style        attn_cairo.cairo_font_options_set_hint_style
#define cairo_get_source                         attn_cairo.cairo_get_source
#define cairo_image_surface_create               attn_cairo.cairo_image_surface_create
#define cairo_image_surface_get_data             attn_cairo.cairo_image_surface_get_data
#define cairo_image_surface_get_height           attn_cairo.cairo_image_surface_get_height
#define cairo_image_surface_get_stride           attn_cairo.cairo_image_surface_get_stride
#define cairo_image_surface_get_width            attn_cairo.cairo_image_surface_get_width
#define cairo_line_to                            attn_cairo.cairo_line_to
#define cairo_move_to                            attn_cairo.cairo_move_to
#define cairo_new_path                           attn_cairo.cairo_new_path
#define cairo_paint                              attn_cairo.cairo_paint
#define cairo_pattern_set_filter                 attn_cairo.cairo_pattern_set_filter
#define cairo_pdf_surface_create_for_stream      attn_cairo.cairo_pdf_surface_create_for_stream
#define cairo_pdf_surface_set_metadata           attn_cairo.cairo_pdf_surface_set_metadata
#define cairo_rectangle                          attn_cairo.cairo_rectangle
#define cairo_restore                            attn_cairo.cairo_restore
#define cairo_rotate                             attn_cairo.cairo_rotate
#define cairo_save                               attn_cairo.cairo_save
#define cairo_scale                              attn_cairo.cairo_scale
#define cairo_select_font_face                   attn_cairo.cairo_select_font_face
#define cairo_set_dash                           attn_cairo.cairo_set_dash
#define cairo_set_font_size                      attn_cairo.cairo_set_font_size
#define cairo_set_line_width                     attn_cairo.cairo_set_line_width
#define cairo_set_source_rgb                     attn_cairo.cairo_set_source_rgb
#define cairo_set_source_rgba                    attn_cairo.cairo_set_source_rgba
#define cairo_set_source_surface                 attn_cairo.cairo_set_source_surface
#define cairo_show_text                          attn_cairo.cairo_show_text
#define cairo_status                             attn_cairo.cairo_status
#define cairo_status_to_string                   attn_cairo.cairo_status_to_string
#define cairo_stroke                             attn_cairo.cairo_stroke
#define cairo_surface_destroy                    attn_cairo.cairo_surface_destroy
#define cairo_surface_finish                     attn_cairo.cairo_surface_finish
#define cairo_surface_flush                      attn_cairo.cairo_surface_flush
#define cairo_surface_mark_dirty                 attn_cairo.cairo_surface_mark_dirty
#define cairo_surface_status                     attn_cairo.cairo_surface_status
#define cairo_surface_write_to_png_stream        attn_cairo.cairo_surface_write_to_png_stream
#define cairo_svg_surface_create_for_stream      attn_cairo.cairo_svg_surface_create_for_stream
#define cairo_svg_surface_set_document_unit      attn_cairo.cairo_svg_surface_set_document_unit
#define cairo_text_extents                       attn_cairo.cairo_text_extents
#define cairo_translate                          attn_cairo.cairo_translate
#define g_free                                   attn_cairo.g_free
#define g_object_unref                           attn_cairo.g_object_unref
#define pango_cairo_context_set_font_options     attn_cairo.pango_cairo_context_set_font_options
#define pango_cairo_font_map_get_default         attn_cairo.pango_cairo_font_map_get_default
#define pango_cairo_show_layout_line             attn_cairo.pango_cairo_show_layout_line
#define pango_context_get_font_map               attn_cairo.pango_context_get_font_map
#define pango_context_load_font                  attn_cairo.pango_context_load_font
#define pango_context_set_round_glyph_positions  attn_cairo.pango_context_set_round_glyph_positions
#define pango_font_describe                      attn_cairo.pango_font_describe
#define pango_font_description_free              attn_cairo.pango_font_description_free
#define pango_font_description_from_string       attn_cairo.pango_font_description_from_string
#define pango_font_description_get_family        attn_cairo.pango_font_description_get_family
#define pango_font_description_set_absolute_size attn_cairo.pango_font_description_set_absolute_size
#define pango_font_description_set_weight        attn_cairo.pango_font_description_set_weight
#define pango_font_map_create_context            attn_cairo.pango_font_map_create_context
#define pango_font_map_list_families             attn_cairo.pango_font_map_list_families
#define pango_layout_get_line_count              attn_cairo.pango_layout_get_line_count
#define pango_layout_get_line_readonly           attn_cairo.pango_layout_get_line_readonly
#define pango_layout_get_size                    attn_cairo.pango_layout_get_size
#define pango_layout_get_text                    attn_cairo.pango_layout_get_text
#define pango_layout_get_unknown_glyphs_count    attn_cairo.pango_layout_get_unknown_glyphs_count
#define pango_layout_line_get_extents            attn_cairo.pango_layout_line_get_extents
#define pango_layout_new                         attn_cairo.pango_layout_new
#define pango_layout_set_font_description        attn_cairo.pango_layout_set_font_description
#define pango_layout_set_single_paragraph_mode   attn_cairo.pango_layout_set_single_paragraph_mode
#define pango_layout_set_text                    attn_cairo.pango_layout_set_text
#define pango_layout_set_width                   attn_cairo.pango_layout_set_width
#define pango_layout_set_wrap                    attn_cairo.pango_layout_set_wrap

#endif
