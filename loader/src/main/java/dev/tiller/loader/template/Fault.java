package dev.tiller.loader.template;

import dev.tiller.loader.template.TemplateException.Kind;

/** A failure inside the interpreter, before the template's name and line are known; never leaves this package. */
final class Fault extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final Kind kind;

    Fault(Kind kind, String message) {
        super(message, null, false, false);
        this.kind = kind;
    }

    Kind kind() {
        return kind;
    }

    static Fault type(String message) {
        return new Fault(Kind.TYPE, message);
    }

    static Fault value(String message) {
        return new Fault(Kind.VALUE, message);
    }

    static Fault limit(String message) {
        return new Fault(Kind.LIMIT, message);
    }
}
