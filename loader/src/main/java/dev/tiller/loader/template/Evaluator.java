package dev.tiller.loader.template;

import dev.tiller.loader.template.TemplateException.Kind;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Computes the values of expressions. */
final class Evaluator {
    private final Interpreter run;

    Evaluator(Interpreter run) {
        this.run = run;
    }

    Object evaluate(Expr expression, Scope scope) {
        run.budget().step();
        run.budget().enter();
        Object value = switch (expression) {
            case Expr.Literal literal -> literal.value();
            case Expr.Name name -> scope.get(name.name());
            case Expr.ListOf list -> all(list.items(), scope);
            case Expr.TupleOf tuple -> new Tuple(all(tuple.items(), scope));
            case Expr.DictOf dict -> dict(dict, scope);
            case Expr.Attribute attribute ->
                Attributes.attribute(run.budget(), evaluate(attribute.owner(), scope), attribute.name());
            case Expr.Subscript subscript -> subscript(subscript, scope);
            case Expr.Slice slice -> throw Fault.type("a slice is not a key");
            case Expr.Call call -> call(call, scope, null);
            case Expr.Filter filter -> apply(evaluate(filter.input(), scope), filter.call(), scope);
            case Expr.Test test -> test(test, scope);
            case Expr.Not not -> !Values.truth(evaluate(not.operand(), scope));
            case Expr.Sign sign -> Operators.sign(sign.negative(), evaluate(sign.operand(), scope));
            case Expr.Arithmetic arithmetic -> arithmetic(arithmetic, scope);
            case Expr.Comparison comparison -> compare(comparison, scope);
            case Expr.And and -> firstOf(and.operands(), false, scope);
            case Expr.Or or -> firstOf(or.operands(), true, scope);
            case Expr.Concat concat -> concat(concat, scope);
            case Expr.Conditional conditional -> choose(conditional, scope);
        };
        run.budget().leave();
        return value;
    }

    private List<Object> all(List<Expr> expressions, Scope scope) {
        run.budget().elements(expressions.size());
        List<Object> values = new ArrayList<>(expressions.size());
        for (Expr expression : expressions) {
            values.add(evaluate(expression, scope));
        }
        return values;
    }

    private Object dict(Expr.DictOf dict, Scope scope) {
        Map<Object, Object> map = new LinkedHashMap<>();
        for (Expr.Entry entry : dict.entries()) {
            Object key = evaluate(entry.key(), scope);
            Values.put(run.budget(), map, key, evaluate(entry.value(), scope));
        }
        return map;
    }

    private Object subscript(Expr.Subscript subscript, Scope scope) {
        Object owner = evaluate(subscript.owner(), scope);
        if (!(subscript.key() instanceof Expr.Slice slice)) {
            return Attributes.element(run.budget(), owner, evaluate(subscript.key(), scope));
        }
        Object start = slice.start() == null ? null : evaluate(slice.start(), scope);
        Object stop = slice.stop() == null ? null : evaluate(slice.stop(), scope);
        Object step = slice.step() == null ? null : evaluate(slice.step(), scope);
        return Slices.slice(run.budget(), owner, start, stop, step);
    }

    /** @param caller the body of a call block, handed over as an argument of that name; null without one */
    Object call(Expr.Call call, Scope scope, Macro caller) {
        Object callee = evaluate(call.callee(), scope);
        Args args = arguments(call.arguments(), scope, caller);
        if (callee instanceof Callable callable) {
            return callable.call(run, args);
        }
        if (callee instanceof Undefined undefined) {
            throw undefined.fault();
        }
        throw Fault.type("'" + Values.typeName(callee) + "' object is not callable");
    }

    private Args arguments(Expr.Arguments arguments, Scope scope, Macro caller) {
        if (arguments == Expr.Arguments.NONE && caller == null) {
            return Args.NONE;
        }
        List<Object> positional = all(arguments.positional(), scope);
        Map<String, Object> keywords = new LinkedHashMap<>();
        for (Expr.Keyword keyword : arguments.keywords()) {
            keyword(keywords, keyword.name(), evaluate(keyword.value(), scope));
        }
        if (caller != null) {
            keyword(keywords, "caller", caller);
        }
        if (arguments.spread() != null) {
            positional.addAll(Values.list(run.budget(), evaluate(arguments.spread(), scope)));
        }
        if (arguments.spreadKeywords() != null) {
            spread(keywords, evaluate(arguments.spreadKeywords(), scope));
        }
        return new Args(positional, keywords);
    }

    private static void keyword(Map<String, Object> keywords, String name, Object value) {
        if (keywords.containsKey(name)) {
            throw Fault.type("got multiple values for keyword argument '" + name + "'");
        }
        keywords.put(name, value);
    }

    private void spread(Map<String, Object> keywords, Object value) {
        if (!(value instanceof Map<?, ?> map)) {
            throw Fault.type("argument after ** must be a mapping, not " + Values.typeName(value));
        }
        run.budget().elements(map.size());
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (!(entry.getKey() instanceof String name)) {
                throw Fault.type("keywords must be strings");
            }
            keyword(keywords, name, entry.getValue());
        }
    }

    private Object apply(Object input, Expr.FilterCall filter, Scope scope) {
        return Filters.apply(run, filter.name(), input, arguments(filter.arguments(), scope, null));
    }

    Object filter(Object input, List<Expr.FilterCall> filters, Scope scope) {
        Object value = input;
        for (Expr.FilterCall filter : filters) {
            value = apply(value, filter, scope);
        }
        return value;
    }

    private Object test(Expr.Test test, Scope scope) {
        Object value = evaluate(test.input(), scope);
        return Tests.apply(run, test.name(), value, arguments(test.arguments(), scope, null));
    }

    private Object arithmetic(Expr.Arithmetic arithmetic, Scope scope) {
        Object value = evaluate(arithmetic.first(), scope);
        for (Expr.Operand operand : arithmetic.rest()) {
            Object right = evaluate(operand.value(), scope);
            value = Operators.binary(run.budget(), operand.operator(), value, right);
        }
        return value;
    }

    private Object compare(Expr.Comparison comparison, Scope scope) {
        Object left = evaluate(comparison.first(), scope);
        for (Expr.Operand operand : comparison.rest()) {
            Object right = evaluate(operand.value(), scope);
            if (!Operators.compare(run.budget(), operand.operator(), left, right)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    /** The first operand with that truth, or the last operand. */
    private Object firstOf(List<Expr> operands, boolean truth, Scope scope) {
        Object value = null;
        for (Iterator<Expr> it = operands.iterator(); it.hasNext(); ) {
            value = evaluate(it.next(), scope);
            if (it.hasNext() && Values.truth(value) == truth) {
                return value;
            }
        }
        return value;
    }

    private Object concat(Expr.Concat concat, Scope scope) {
        List<Object> values = all(concat.parts(), scope);
        TextBuilder text = new TextBuilder(run.budget());
        values.forEach(value -> text.append(PyFormat.str(run.budget(), value)));
        return text.toString();
    }

    private Object choose(Expr.Conditional conditional, Scope scope) {
        if (Values.truth(evaluate(conditional.test(), scope))) {
            return evaluate(conditional.then(), scope);
        }
        if (conditional.otherwise() == null) {
            return new Undefined(
                    "the inline if-expression evaluated to false and no else section was defined.", Kind.UNDEFINED);
        }
        return evaluate(conditional.otherwise(), scope);
    }
}
