package dev.tiller.loader.template;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * {@code owner.name} and {@code owner[key]} as Jinja's sandbox resolves them: the dot prefers Python's attribute, the
 * brackets the element; what exists in neither way is undefined; methods that change a value and names with two
 * leading underscores are out of reach.
 */
final class Attributes {
    private static final Set<String> LIST_CHANGES =
            Set.of("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");
    private static final Set<String> DICT_CHANGES = Set.of("clear", "pop", "popitem", "setdefault", "update");
    private static final Object NONE = new Object();

    private Attributes() {}

    static Object attribute(Budget budget, Object owner, String name) {
        if (owner instanceof Undefined undefined) {
            throw undefined.fault();
        }
        Object attribute = pythonAttribute(owner, name);
        if (attribute != NONE) {
            return attribute;
        }
        Object element = owner instanceof Map<?, ?> map ? Values.lookup(budget, map, name, NONE) : NONE;
        return element != NONE ? element : Undefined.attribute(owner, name);
    }

    /** The {@code attr} filter: attributes only, no keys. */
    static Object attributeOnly(Object owner, String name) {
        if (owner instanceof Undefined undefined) {
            throw undefined.fault();
        }
        Object attribute = pythonAttribute(owner, name);
        return attribute == NONE ? Undefined.attribute(owner, name) : attribute;
    }

    static Object element(Budget budget, Object owner, Object key) {
        if (owner instanceof Undefined undefined) {
            throw undefined.fault();
        }
        Object element = elementOrNone(budget, owner, key);
        if (element == NONE && key instanceof String name) {
            element = pythonAttribute(owner, name);
        }
        return element != NONE ? element : Undefined.attribute(owner, key);
    }

    private static Object elementOrNone(Budget budget, Object owner, Object key) {
        if (owner instanceof Map<?, ?> map) {
            boolean hashable = !(key instanceof List<?>) && !(key instanceof Map<?, ?>);
            return hashable ? Values.lookup(budget, map, key, NONE) : NONE;
        }
        if (!Numbers.isInteger(key) || key instanceof BigInteger) {
            return NONE;
        }
        String text = Values.textOrNull(owner);
        List<?> items = Values.sequenceOrNull(owner);
        if (text == null && items == null) {
            return NONE;
        }
        long length = Values.length(budget, owner);
        long index = Numbers.index(key, "index");
        long place = index < 0 ? index + length : index;
        if (place < 0 || place >= length) {
            return NONE;
        }
        if (text == null) {
            return items.get((int) place);
        }
        return Character.toString(text.codePointAt(Text.offset(text, (int) place)));
    }

    /** An attribute or method that Python's object of that type has. */
    private static Object pythonAttribute(Object owner, String name) {
        if (name.startsWith("__") && name.endsWith("__")) {
            return Undefined.unsafe(owner, name);
        }
        Object found = switch (owner) {
            case null -> null;
            case String text -> StringMethods.find(owner, text, name);
            case Markup markup -> StringMethods.find(owner, markup.text(), name);
            case Range range -> rangeAttribute(range, name);
            case List<?> list ->
                LIST_CHANGES.contains(name)
                        ? Undefined.unsafe(owner, name)
                        : ContainerMethods.ofSequence(list, name, true);
            case Tuple tuple -> ofTuple(tuple, name);
            case Map<?, ?> map ->
                DICT_CHANGES.contains(name) ? Undefined.unsafe(owner, name) : ContainerMethods.ofMapping(map, name);
            case Namespace namespace -> ofNamespace(namespace, name);
            case LoopState loop -> ofLoop(loop, name);
            case Macro macro -> ofMacro(macro, name);
            case Double number -> ofFloat(number, name);
            case Number number -> ofInteger(number, name);
            case Boolean truth -> ofInteger(truth ? 1L : 0L, name);
            default -> null;
        };
        return found == null ? NONE : found == Namespace.NULL ? null : found;
    }

    private static Object ofTuple(Tuple tuple, String name) {
        int named = tuple.names().indexOf(name);
        return named >= 0 ? tuple.items().get(named) : ContainerMethods.ofSequence(tuple.items(), name, false);
    }

    private static Object ofNamespace(Namespace namespace, String name) {
        Object value = namespace.attributes().get(name);
        return value == null && namespace.attributes().containsKey(name) ? Namespace.NULL : value;
    }

    private static Object ofLoop(LoopState loop, String name) {
        Object value = loop.attribute(name);
        return LoopState.isMissing(value) ? null : value == null ? Namespace.NULL : value;
    }

    private static Object rangeAttribute(Range range, String name) {
        return switch (name) {
            case "start" -> range.start();
            case "stop" -> range.stop();
            case "step" -> range.step();
            default -> ContainerMethods.ofSequence(range, name, false);
        };
    }

    private static Object ofMacro(Macro macro, String name) {
        Macro.Definition definition = macro.definition();
        return switch (name) {
            case "name" -> definition.name();
            case "arguments" ->
                new Tuple(definition.parameters().stream()
                        .map(parameter -> (Object) parameter.name())
                        .toList());
            case "catch_kwargs" -> definition.readsKeywords();
            case "catch_varargs" -> definition.readsVarargs();
            case "caller" -> definition.readsCaller();
            default -> null;
        };
    }

    private static Object ofFloat(double number, String name) {
        return switch (name) {
            case "is_integer" ->
                Callable.named(
                        "float.is_integer", (run, args) -> number == Math.rint(number) && !Double.isInfinite(number));
            case "real" -> number;
            case "imag" -> 0.0;
            default -> null;
        };
    }

    private static Object ofInteger(Number number, String name) {
        return switch (name) {
            case "bit_length" ->
                Callable.named("int.bit_length", (run, args) ->
                        (long) Numbers.big(number).abs().bitLength());
            case "real", "numerator" -> number;
            case "imag" -> 0L;
            case "denominator" -> 1L;
            default -> null;
        };
    }
}
