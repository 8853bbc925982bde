package dev.tiller.loader.template;

/**
 * Text marked as safe HTML by the {@code safe} and {@code escape} filters. Joining it with plain text by {@code +}
 * escapes the plain text, as in Jinja even without autoescape.
 */
record Markup(String text) {
    static String escape(String plain) {
        return plain.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("'", "&#39;")
                .replace("\"", "&#34;");
    }
}
