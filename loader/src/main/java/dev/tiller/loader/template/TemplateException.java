package dev.tiller.loader.template;

import dev.tiller.loader.TillerException;

/** A template that cannot be parsed or rendered. The message is one line with the template's name and line number. */
public final class TemplateException extends TillerException {
    private static final long serialVersionUID = 1L;

    /** What went wrong, named after the exception that Jinja or Python raises in the same place. */
    public enum Kind {
        /** The template itself refuses the conversation ({@code raise_exception}). */
        TEMPLATE("TemplateError"),
        SYNTAX("TemplateSyntaxError"),
        RUNTIME("TemplateRuntimeError"),
        UNDEFINED("UndefinedError"),
        SECURITY("SecurityError"),
        TYPE("TypeError"),
        VALUE("ValueError"),
        LOOKUP("LookupError"),
        ARITHMETIC("ArithmeticError"),
        /** Too many steps, too much text or too deep: the template would not end, or not end well. */
        LIMIT("LimitError");

        private final String pythonName;

        Kind(String pythonName) {
            this.pythonName = pythonName;
        }

        /** The usual name of such an error, e.g. "UndefinedError". */
        public String pythonName() {
            return pythonName;
        }
    }

    private final Kind kind;
    private final String detail;
    private final int line;

    TemplateException(Kind kind, String template, int line, String detail) {
        super(template + ", line " + line + ": " + kind.pythonName() + ": " + oneLine(detail));
        this.kind = kind;
        this.detail = detail;
        this.line = line;
    }

    private static String oneLine(String text) {
        String shown = text.length() > 1000 ? text.substring(0, 1000) + "..." : text;
        return shown.replace("\r", "\\r").replace("\n", "\\n");
    }

    public Kind kind() {
        return kind;
    }

    /** The bare reason, without place and kind; for {@link Kind#TEMPLATE} exactly what the template said. */
    public String detail() {
        return detail;
    }

    /** The line of the template (from 1) whose statement failed. */
    public int line() {
        return line;
    }
}
