package dev.tiller.loader.template;

import java.util.List;

/** Statements of a template; each knows the line of its tag. */
sealed interface Stmt {
    int line();

    record Data(String text, int line) implements Stmt {}

    record Output(Expr value, int line) implements Stmt {}

    record Assign(Target target, Expr value, int line) implements Stmt {}

    record SetBlock(Target target, List<Expr.FilterCall> filters, List<Stmt> body, int line) implements Stmt {}

    record If(List<Branch> branches, List<Stmt> otherwise, int line) implements Stmt {}

    record Branch(Expr test, List<Stmt> body) {}

    /** {@code test} is null without an {@code if}; {@code otherwise} runs when no round of the body was completed. */
    record For(Target target, Expr over, Expr test, boolean recursive, List<Stmt> body, List<Stmt> otherwise, int line)
            implements Stmt {}

    record MacroDef(Macro.Definition definition, int line) implements Stmt {}

    record CallBlock(Macro.Definition caller, Expr.Call call, int line) implements Stmt {}

    record FilterBlock(List<Expr.FilterCall> filters, List<Stmt> body, int line) implements Stmt {}

    record With(List<Binding> bindings, List<Stmt> body, int line) implements Stmt {}

    record Binding(Target target, Expr value) {}

    /** {@code {% generation %}}: marks the assistant's own words. */
    record Generation(List<Stmt> body, int line) implements Stmt {}

    record Break(int line) implements Stmt {}

    record Continue(int line) implements Stmt {}

    /** What can be assigned to. */
    sealed interface Target {}

    record NameTarget(String name) implements Target {}

    /** {@code namespace.attribute}. */
    record AttributeTarget(String namespace, String attribute) implements Target {}

    record TupleTarget(List<Target> targets) implements Target {}
}
