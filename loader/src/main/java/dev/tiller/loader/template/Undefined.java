package dev.tiller.loader.template;

import dev.tiller.loader.template.TemplateException.Kind;

/**
 * The value of a name, attribute or element that does not exist. It prints as nothing, is false and empty, and
 * compares equal to its kind; every other use throws.
 *
 * @param reason what the thrown error says
 * @param kind UNDEFINED, or SECURITY for what the sandbox hides
 */
record Undefined(String reason, Kind kind) {
    static Undefined because(String reason) {
        return new Undefined(reason, Kind.UNDEFINED);
    }

    static Undefined name(String name) {
        return because("'" + name + "' is undefined");
    }

    static Undefined attribute(Object owner, Object key) {
        if (!(key instanceof String)) {
            return because(describe(owner) + " has no element " + Values.shortText(key));
        }
        return because("'" + describe(owner) + "' has no attribute '" + key + "'");
    }

    static Undefined unsafe(Object owner, String attribute) {
        return new Undefined(
                "access to attribute '" + attribute + "' of '" + Values.typeName(owner) + "' object is unsafe.",
                Kind.SECURITY);
    }

    private static String describe(Object owner) {
        return owner == null ? "None" : Values.typeName(owner) + " object";
    }

    Fault fault() {
        return new Fault(kind, reason);
    }
}
