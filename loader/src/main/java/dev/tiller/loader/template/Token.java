package dev.tiller.loader.template;

/**
 * A piece of a template.
 *
 * @param type what it is
 * @param text the name, the operator, or the source text of data and literals
 * @param value the value of a literal
 * @param line line in the template, from 1
 */
record Token(Type type, String text, Object value, int line) {
    enum Type {
        /** Text outside of tags, ready to print. */
        DATA,
        OUTPUT_BEGIN,
        OUTPUT_END,
        BLOCK_BEGIN,
        BLOCK_END,
        NAME,
        LITERAL_STRING,
        LITERAL_INTEGER,
        LITERAL_FLOAT,
        OPERATOR,
        END
    }

    boolean isName(String name) {
        return type == Type.NAME && text.equals(name);
    }

    boolean isOperator(String operator) {
        return type == Type.OPERATOR && text.equals(operator);
    }

    /** For error messages. */
    String describe() {
        return switch (type) {
            case END -> "end of template";
            case BLOCK_END -> "end of statement block";
            case OUTPUT_END -> "end of print statement";
            case DATA -> "template data";
            default -> "'" + text + "'";
        };
    }
}
