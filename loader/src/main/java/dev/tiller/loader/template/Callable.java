package dev.tiller.loader.template;

/** Anything a template can call: macros, methods of values, global functions, the recursive loop. */
interface Callable {
    Object call(Interpreter run, Args args);

    /** A callable that shows as {@code <name>} when printed. */
    static Callable named(String name, Callable body) {
        return new Callable() {
            @Override
            public Object call(Interpreter run, Args args) {
                return body.call(run, args);
            }

            @Override
            public String toString() {
                return "<" + name + ">";
            }
        };
    }
}
