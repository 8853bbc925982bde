package dev.tiller.loader.template;

import java.util.List;

/** Expressions of a template. */
sealed interface Expr {
    record Literal(Object value) implements Expr {}

    record Name(String name) implements Expr {}

    record ListOf(List<Expr> items) implements Expr {}

    record TupleOf(List<Expr> items) implements Expr {}

    record DictOf(List<Entry> entries) implements Expr {}

    record Entry(Expr key, Expr value) {}

    /** {@code owner.name}: Python's attribute, else the key of a mapping. */
    record Attribute(Expr owner, String name) implements Expr {}

    /** {@code owner[key]}: element or key, else Python's attribute. */
    record Subscript(Expr owner, Expr key) implements Expr {}

    /** {@code start:stop:step} inside a subscript; each part may be null. */
    record Slice(Expr start, Expr stop, Expr step) implements Expr {}

    record Call(Expr callee, Arguments arguments) implements Expr {}

    record Arguments(List<Expr> positional, List<Keyword> keywords, Expr spread, Expr spreadKeywords) {
        static final Arguments NONE = new Arguments(List.of(), List.of(), null, null);
    }

    record Keyword(String name, Expr value) {}

    record Filter(Expr input, FilterCall call) implements Expr {}

    /** A filter to apply to what comes before it. */
    record FilterCall(String name, Arguments arguments) {}

    record Test(Expr input, String name, Arguments arguments) implements Expr {}

    record Not(Expr operand) implements Expr {}

    /** {@code -x} or {@code +x}. */
    record Sign(boolean negative, Expr operand) implements Expr {}

    /** Operators of one precedence, applied from left to right. */
    record Arithmetic(Expr first, List<Operand> rest) implements Expr {}

    /** Python's chain {@code a < b < c}: true if each neighbouring pair is. */
    record Comparison(Expr first, List<Operand> rest) implements Expr {}

    record Operand(String operator, Expr value) {}

    /** The first false operand, or the last one. */
    record And(List<Expr> operands) implements Expr {}

    /** The first true operand, or the last one. */
    record Or(List<Expr> operands) implements Expr {}

    /** {@code a ~ b}: both as text. */
    record Concat(List<Expr> parts) implements Expr {}

    /** {@code then if test else otherwise}; undefined if the last part is missing (null) and wanted. */
    record Conditional(Expr test, Expr then, Expr otherwise) implements Expr {}
}
