package dev.tiller.loader.template;

import dev.tiller.loader.template.Expr.FilterCall;
import dev.tiller.loader.template.Expr.Operand;
import dev.tiller.loader.template.Token.Type;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** Recursive descent over Jinja's expressions; one method per precedence, loosest first. */
final class ExpressionParser {
    private static final int MAX_NESTING = 100;
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

    private final TokenStream tokens;
    private final PostfixParser postfix;
    private int nesting;
    /** True where unknown filters and tests fail only when reached, as in Jinja: below {@code if}. */
    private boolean lenient;
    /** Unknown filters and tests found elsewhere. */
    private final List<SyntaxFault> unknown = new ArrayList<>();

    private final Set<String> namesRead;

    /** @param namesRead collects every variable name that an expression reads */
    ExpressionParser(TokenStream tokens, Set<String> namesRead) {
        this.tokens = tokens;
        this.namesRead = namesRead;
        this.postfix = new PostfixParser(tokens, this);
    }

    /** Sets where unknown filters and tests are allowed to stay; returns the setting before. */
    boolean lenient(boolean now) {
        boolean before = lenient;
        lenient = now;
        return before;
    }

    /** Notes a filter or test that does not exist. */
    void unknown(SyntaxFault fault) {
        if (!lenient) {
            unknown.add(fault);
        }
    }

    /** Throws if a filter or test that does not exist was found. */
    void checkUnknown() {
        if (!unknown.isEmpty()) {
            throw unknown.getFirst();
        }
    }

    /** An expression, a conditional one included. */
    Expr expression() {
        if (++nesting > MAX_NESTING) {
            throw tokens.fault("expressions nest too deeply (limit " + MAX_NESTING + ")");
        }
        Expr result = conditional();
        nesting--;
        return result;
    }

    /**
     * An expression, or several with commas between them as a tuple.
     *
     * @param conditional whether {@code a if b else c} is allowed without parentheses
     * @param end a name that ends the tuple after a trailing comma; may be null
     */
    Expr tuple(boolean conditional, String end) {
        return tuple(conditional ? this::expression : this::or, end, false);
    }

    private Expr tuple(Supplier<Expr> element, String end, boolean maybeEmpty) {
        List<Expr> items = new ArrayList<>();
        boolean isTuple = false;
        while (!atTupleEnd(end)) {
            items.add(element.get());
            if (!tokens.skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        if (!isTuple && items.size() == 1) {
            return items.getFirst();
        }
        if (!isTuple && !maybeEmpty) {
            throw tokens.fault("expected an expression, got " + tokens.current().describe());
        }
        return new Expr.TupleOf(items);
    }

    private boolean atTupleEnd(String end) {
        return tokens.at(Type.OUTPUT_END)
                || tokens.at(Type.BLOCK_END)
                || tokens.atOperator(")")
                || (end != null && tokens.atName(end));
    }

    private Expr conditional() {
        int known = unknown.size();
        Expr then = or();
        while (tokens.skipName("if")) {
            Expr test = or();
            Expr otherwise = tokens.skipName("else") ? expression() : null;
            then = new Expr.Conditional(test, then, otherwise);
            // All three parts are lenient, but only now is it clear that this is a conditional expression.
            unknown.subList(known, unknown.size()).clear();
        }
        return then;
    }

    private Expr or() {
        Expr first = and();
        if (!tokens.atName("or")) {
            return first;
        }
        List<Expr> operands = new ArrayList<>(List.of(first));
        while (tokens.skipName("or")) {
            operands.add(and());
        }
        return new Expr.Or(operands);
    }

    private Expr and() {
        Expr first = not();
        if (!tokens.atName("and")) {
            return first;
        }
        List<Expr> operands = new ArrayList<>(List.of(first));
        while (tokens.skipName("and")) {
            operands.add(not());
        }
        return new Expr.And(operands);
    }

    private Expr not() {
        int count = 0;
        while (tokens.skipName("not")) {
            count++;
        }
        Expr operand = comparison();
        for (int i = 0; i < Math.min(count, 2 - count % 2); i++) {
            operand = new Expr.Not(operand);
        }
        return operand;
    }

    private Expr comparison() {
        Expr first = sum();
        List<Operand> rest = new ArrayList<>();
        while (true) {
            if (tokens.at(Type.OPERATOR)
                    && COMPARISONS.contains(tokens.current().text())) {
                rest.add(new Operand(tokens.next().text(), sum()));
            } else if (tokens.skipName("in")) {
                rest.add(new Operand("in", sum()));
            } else if (tokens.atName("not") && tokens.following().isName("in")) {
                tokens.next();
                tokens.next();
                rest.add(new Operand("not in", sum()));
            } else {
                return rest.isEmpty() ? first : new Expr.Comparison(first, rest);
            }
        }
    }

    private Expr sum() {
        return arithmetic(this::concat, Set.of("+", "-"));
    }

    private Expr arithmetic(Supplier<Expr> operand, Set<String> operators) {
        Expr first = operand.get();
        List<Operand> rest = new ArrayList<>();
        while (tokens.at(Type.OPERATOR) && operators.contains(tokens.current().text())) {
            rest.add(new Operand(tokens.next().text(), operand.get()));
        }
        return rest.isEmpty() ? first : new Expr.Arithmetic(first, rest);
    }

    private Expr concat() {
        Expr first = product();
        if (!tokens.atOperator("~")) {
            return first;
        }
        List<Expr> parts = new ArrayList<>(List.of(first));
        while (tokens.skipOperator("~")) {
            parts.add(product());
        }
        return new Expr.Concat(parts);
    }

    private Expr product() {
        return arithmetic(this::power, Set.of("*", "/", "//", "%"));
    }

    private Expr power() {
        return arithmetic(() -> unary(true), Set.of("**"));
    }

    private Expr unary(boolean withFilters) {
        Expr result;
        if (tokens.atOperator("-") || tokens.atOperator("+")) {
            if (++nesting > MAX_NESTING) {
                throw tokens.fault("expressions nest too deeply (limit " + MAX_NESTING + ")");
            }
            boolean negative = tokens.next().text().equals("-");
            result = new Expr.Sign(negative, unary(false));
            nesting--;
        } else {
            result = primary();
        }
        result = postfix.accesses(result);
        return withFilters ? postfix.filtersAndTests(result) : result;
    }

    Expr primary() {
        Token token = tokens.next();
        return switch (token.type()) {
            case NAME -> name(token.text());
            case LITERAL_STRING -> adjacentStrings(token);
            case LITERAL_INTEGER, LITERAL_FLOAT -> new Expr.Literal(token.value());
            case OPERATOR -> bracket(token);
            default -> throw new SyntaxFault(token.line(), "unexpected " + token.describe());
        };
    }

    private Expr name(String name) {
        return switch (name) {
            case "true", "True" -> new Expr.Literal(true);
            case "false", "False" -> new Expr.Literal(false);
            case "none", "None" -> new Expr.Literal(null);
            default -> {
                namesRead.add(name);
                yield new Expr.Name(name);
            }
        };
    }

    private Expr adjacentStrings(Token first) {
        StringBuilder text = new StringBuilder((String) first.value());
        while (tokens.at(Type.LITERAL_STRING)) {
            text.append(tokens.next().value());
        }
        return new Expr.Literal(text.toString());
    }

    private Expr bracket(Token open) {
        switch (open.text()) {
            case "(" -> {
                Expr inner = tuple(this::expression, null, true);
                tokens.expectOperator(")");
                return inner;
            }
            case "[" -> {
                return new Expr.ListOf(separated("]", this::expression));
            }
            case "{" -> {
                return new Expr.DictOf(separated("}", this::entry));
            }
            default -> throw new SyntaxFault(open.line(), "unexpected " + open.describe());
        }
    }

    private Expr.Entry entry() {
        Expr key = expression();
        tokens.expectOperator(":");
        return new Expr.Entry(key, expression());
    }

    /** Elements with commas between them and perhaps one at the end, up to the closing bracket. */
    private <T> List<T> separated(String close, Supplier<T> element) {
        List<T> items = new ArrayList<>();
        while (!tokens.atOperator(close)) {
            if (!items.isEmpty()) {
                tokens.expectOperator(",");
                if (tokens.atOperator(close)) {
                    break;
                }
            }
            items.add(element.get());
        }
        tokens.expectOperator(close);
        return items;
    }

    /** Filters as they stand after {@code set x} or {@code filter}: {@code name(args)|name|...}. */
    List<FilterCall> filterChain() {
        List<FilterCall> filters = new ArrayList<>();
        do {
            filters.add(postfix.filterCall());
        } while (tokens.skipOperator("|"));
        return filters;
    }
}
