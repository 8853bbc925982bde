package dev.tiller.loader.template;

/** A template that does not parse; becomes a {@link TemplateException} with the template's name. */
final class SyntaxFault extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final int line;

    SyntaxFault(int line, String message) {
        super(message, null, false, false);
        this.line = line;
    }

    int line() {
        return line;
    }
}
