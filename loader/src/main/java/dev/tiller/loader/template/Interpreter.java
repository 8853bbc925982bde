package dev.tiller.loader.template;

import dev.tiller.loader.template.TemplateException.Kind;
import java.time.LocalDateTime;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Runs the statements of a template once. */
final class Interpreter {
    private enum Flow {
        NEXT,
        BREAK,
        CONTINUE
    }

    private final Budget budget;
    private final LocalDateTime now;
    private final Evaluator evaluator = new Evaluator(this);
    private Output output = new Output();
    private int line = 1;
    /** Texts of macros and block captures that hold generation blocks: printed unchanged, their spans go along. */
    private final Map<String, List<Span>> captured = new IdentityHashMap<>();

    private int unprinted;

    Interpreter(LocalDateTime now, Budget budget) {
        this.budget = budget;
        this.now = now;
    }

    Budget budget() {
        return budget;
    }

    LocalDateTime now() {
        return now;
    }

    /** The line of the statement that runs, or failed. */
    int line() {
        return line;
    }

    /** Renders a whole template. */
    Output run(List<Stmt> body, Map<String, Object> names) {
        execute(body, Scope.root(names));
        return output;
    }

    /** True if a generation block went into a text that was not printed as it is: its place is unknown. */
    boolean lostSpans() {
        return unprinted > 0;
    }

    private Flow execute(List<Stmt> body, Scope scope) {
        for (Stmt statement : body) {
            Flow flow = execute(statement, scope);
            if (flow != Flow.NEXT) {
                return flow;
            }
        }
        return Flow.NEXT;
    }

    private Flow execute(Stmt statement, Scope scope) {
        budget.step();
        budget.enter();
        line = statement.line();
        Flow flow = switch (statement) {
            case Stmt.Data data -> print(data.text());
            case Stmt.Output out -> print(evaluator.evaluate(out.value(), scope));
            case Stmt.Assign assign -> assign(assign.target(), evaluator.evaluate(assign.value(), scope), scope);
            case Stmt.SetBlock block -> setBlock(block, scope);
            case Stmt.If choice -> choose(choice, scope);
            case Stmt.For loop -> loop(loop, evaluator.evaluate(loop.over(), scope), scope);
            case Stmt.MacroDef macro -> define(macro.definition(), scope);
            case Stmt.CallBlock block -> callBlock(block, scope);
            case Stmt.FilterBlock block -> filterBlock(block, scope);
            case Stmt.With with -> with(with, scope);
            case Stmt.Generation generation -> generation(generation, scope);
            case Stmt.Break end -> Flow.BREAK;
            case Stmt.Continue next -> Flow.CONTINUE;
        };
        budget.leave();
        return flow;
    }

    private Flow print(Object value) {
        String text = PyFormat.str(budget, value);
        List<Span> spans = captured.get(text);
        if (spans != null) {
            spans.forEach(span -> output.mark(span.shifted(output.length())));
            unprinted--;
        }
        output.append(budget, text);
        return Flow.NEXT;
    }

    private Flow assign(Stmt.Target target, Object value, Scope scope) {
        switch (target) {
            case Stmt.NameTarget name -> scope.set(name.name(), value);
            case Stmt.AttributeTarget attribute -> {
                if (!(scope.get(attribute.namespace()) instanceof Namespace namespace)) {
                    throw new Fault(Kind.RUNTIME, "cannot assign attribute on non-namespace object");
                }
                namespace.attributes().put(attribute.attribute(), value);
            }
            case Stmt.TupleTarget tuple -> unpack(tuple.targets(), value, scope);
        }
        return Flow.NEXT;
    }

    private void unpack(List<Stmt.Target> targets, Object value, Scope scope) {
        if (!Values.iterable(value)) {
            throw Fault.type("cannot unpack non-iterable " + Values.typeName(value) + " object");
        }
        Iterator<Object> items = Values.iterate(budget, value);
        Object[] values = new Object[targets.size()];
        for (int i = 0; i < values.length; i++) {
            if (!items.hasNext()) {
                throw Fault.value("not enough values to unpack (expected " + values.length + ", got " + i + ")");
            }
            values[i] = items.next();
        }
        if (items.hasNext()) {
            throw Fault.value("too many values to unpack (expected " + values.length + ")");
        }
        for (int i = 0; i < values.length; i++) {
            assign(targets.get(i), values[i], scope);
        }
    }

    private Flow setBlock(Stmt.SetBlock block, Scope scope) {
        Output outer = open();
        Scope inner = scope.inner();
        Flow flow = execute(block.body(), inner);
        Object value = close(outer);
        if (flow != Flow.NEXT) {
            return flow;
        }
        return assign(block.target(), evaluator.filter(value, block.filters(), inner), scope);
    }

    private Flow filterBlock(Stmt.FilterBlock block, Scope scope) {
        Output outer = open();
        Scope inner = scope.inner();
        Flow flow = execute(block.body(), inner);
        Object value = close(outer);
        return flow == Flow.NEXT ? print(evaluator.filter(value, block.filters(), inner)) : flow;
    }

    private Flow choose(Stmt.If choice, Scope scope) {
        for (Stmt.Branch branch : choice.branches()) {
            if (Values.truth(evaluator.evaluate(branch.test(), scope))) {
                return execute(branch.body(), scope);
            }
        }
        return execute(choice.otherwise(), scope);
    }

    private Flow loop(Stmt.For loop, Object over, Scope scope) {
        if (!loop.recursive()) {
            return rounds(loop, over, 0, scope);
        }
        return print(recursiveRounds(loop, over, 0, scope));
    }

    private Object recursiveRounds(Stmt.For loop, Object over, int depth, Scope scope) {
        Output outer = open();
        rounds(loop, over, depth, scope);
        return close(outer);
    }

    private Flow rounds(Stmt.For loop, Object over, int depth, Scope scope) {
        Iterator<Object> all = Values.iterate(budget, over);
        Object source = loop.test() == null ? over : wanted(loop, over, all, scope);
        Iterator<Object> items = source instanceof Generator generator ? generator : all;
        LoopState.Recursion recursion =
                loop.recursive() ? (inner, level) -> recursiveRounds(loop, inner, level, scope) : null;
        LoopState state = new LoopState(budget, source, items, depth, recursion);
        boolean completed = false;
        while (state.advance()) {
            budget.step();
            Scope round = scope.inner();
            round.set("loop", state);
            assign(loop.target(), state.current(), round);
            Flow flow = execute(loop.body(), round);
            if (flow == Flow.BREAK) {
                break;
            }
            // Jinja runs the else part, too, if no round got to the end of its body.
            completed |= flow == Flow.NEXT;
        }
        return completed ? Flow.NEXT : execute(loop.otherwise(), scope.inner());
    }

    /** The elements that pass the loop's own {@code if}; the test does not see the loop variable. */
    private Generator wanted(Stmt.For loop, Object over, Iterator<Object> all, Scope scope) {
        return new Generator(over, () -> {
            while (all.hasNext()) {
                Object item = all.next();
                Scope inner = scope.inner();
                assign(loop.target(), item, inner);
                if (Values.truth(evaluator.evaluate(loop.test(), inner))) {
                    return assigned(loop.target(), inner);
                }
            }
            return Generator.end();
        });
    }

    /** What a target holds: an item that was unpacked comes back as a tuple, as Jinja passes it on. */
    private static Object assigned(Stmt.Target target, Scope scope) {
        return switch (target) {
            case Stmt.NameTarget name -> scope.get(name.name());
            case Stmt.TupleTarget tuple ->
                new Tuple(tuple.targets().stream()
                        .map(part -> assigned(part, scope))
                        .toList());
            case Stmt.AttributeTarget attribute -> throw Fault.type("a loop cannot assign to an attribute");
        };
    }

    private Flow define(Macro.Definition definition, Scope scope) {
        scope.set(definition.name(), new Macro(definition, scope));
        return Flow.NEXT;
    }

    private Flow callBlock(Stmt.CallBlock block, Scope scope) {
        Macro caller = new Macro(block.caller(), scope);
        return print(evaluator.call(block.call(), scope, caller));
    }

    private Flow with(Stmt.With with, Scope scope) {
        Scope inner = scope.inner();
        for (Stmt.Binding binding : with.bindings()) {
            assign(binding.target(), evaluator.evaluate(binding.value(), scope), inner);
        }
        return execute(with.body(), inner);
    }

    private Flow generation(Stmt.Generation generation, Scope scope) {
        int start = output.length();
        execute(generation.body(), scope.inner());
        output.mark(new Span(start, output.length()));
        return Flow.NEXT;
    }

    /** Runs a macro; parameters without a value get their default, or are undefined. */
    Object macro(Macro.Definition definition, Scope scope, Map<String, Object> values) {
        budget.enter();
        int callLine = line;
        Output outer = open();
        for (Macro.Parameter parameter : definition.parameters()) {
            String name = parameter.name();
            if (values.containsKey(name)) {
                scope.set(name, values.get(name));
            } else if (parameter.value() == null) {
                scope.set(name, Undefined.because("parameter '" + name + "' was not provided"));
            } else {
                scope.set(name, evaluator.evaluate(parameter.value(), scope));
            }
        }
        execute(definition.body(), scope);
        Object text = close(outer);
        line = callLine;
        budget.leave();
        return text;
    }

    /** Sends what is printed from here to a text of its own; returns where it went before. */
    private Output open() {
        Output outer = output;
        output = new Output();
        return outer;
    }

    /** The text since {@link #open}; printing goes on to {@code outer}. */
    private String close(Output outer) {
        String text = output.toString();
        if (!output.spans().isEmpty() && !text.isEmpty()) {
            captured.put(text, output.spans());
            unprinted++;
        }
        output = outer;
        return text;
    }
}
