package dev.tiller.loader.template;

import dev.tiller.loader.template.Expr.Arguments;
import dev.tiller.loader.template.Expr.FilterCall;
import dev.tiller.loader.template.Token.Type;
import java.util.ArrayList;
import java.util.List;

/** What can follow an expression: attributes, subscripts, calls, filters and tests. */
final class PostfixParser {
    private static final int MAX_CHAIN = 200;
    private final TokenStream tokens;
    private final ExpressionParser expressions;

    PostfixParser(TokenStream tokens, ExpressionParser expressions) {
        this.tokens = tokens;
        this.expressions = expressions;
    }

    Expr accesses(Expr start) {
        Expr result = start;
        for (int count = 0; ; limit(++count)) {
            if (tokens.skipOperator(".")) {
                result = afterDot(result);
            } else if (tokens.skipOperator("[")) {
                result = new Expr.Subscript(result, subscript());
            } else if (tokens.atOperator("(")) {
                result = new Expr.Call(result, arguments());
            } else {
                return result;
            }
        }
    }

    private void limit(int count) {
        if (count > MAX_CHAIN) {
            throw tokens.fault("more than " + MAX_CHAIN + " accesses or filters in a row");
        }
    }

    private Expr afterDot(Expr owner) {
        Token token = tokens.next();
        return switch (token.type()) {
            case NAME -> new Expr.Attribute(owner, token.text());
            case LITERAL_INTEGER -> new Expr.Subscript(owner, new Expr.Literal(token.value()));
            default -> throw new SyntaxFault(token.line(), "expected name or number after '.'");
        };
    }

    private Expr subscript() {
        List<Expr> parts = new ArrayList<>();
        while (!tokens.atOperator("]")) {
            if (!parts.isEmpty()) {
                tokens.expectOperator(",");
            }
            parts.add(sliceOrExpression());
        }
        tokens.expectOperator("]");
        return parts.size() == 1 ? parts.getFirst() : new Expr.TupleOf(parts);
    }

    private Expr sliceOrExpression() {
        Expr start = null;
        if (!tokens.atOperator(":")) {
            start = expressions.expression();
            if (!tokens.atOperator(":")) {
                return start;
            }
        }
        tokens.expectOperator(":");
        Expr stop = slicePart();
        Expr step = tokens.skipOperator(":") ? slicePart() : null;
        return new Expr.Slice(start, stop, step);
    }

    private Expr slicePart() {
        boolean empty = tokens.atOperator(":") || tokens.atOperator("]") || tokens.atOperator(",");
        return empty ? null : expressions.expression();
    }

    Arguments arguments() {
        int line = tokens.line();
        tokens.expectOperator("(");
        List<Expr> positional = new ArrayList<>();
        List<Expr.Keyword> keywords = new ArrayList<>();
        Expr spread = null;
        Expr spreadKeywords = null;
        boolean more = true;
        while (!tokens.atOperator(")")) {
            if (!more) {
                throw tokens.fault("expected ',', got " + tokens.current().describe());
            }
            boolean open = spread == null && spreadKeywords == null;
            if (tokens.skipOperator("*")) {
                check(open, line);
                spread = expressions.expression();
            } else if (tokens.skipOperator("**")) {
                check(spreadKeywords == null, line);
                spreadKeywords = expressions.expression();
            } else if (tokens.at(Type.NAME) && tokens.following().isOperator("=")) {
                check(spreadKeywords == null, line);
                String name = tokens.next().text();
                tokens.next();
                keywords.add(new Expr.Keyword(name, expressions.expression()));
            } else {
                check(open && keywords.isEmpty(), line);
                positional.add(expressions.expression());
            }
            more = tokens.skipOperator(",");
        }
        tokens.expectOperator(")");
        return new Arguments(positional, keywords, spread, spreadKeywords);
    }

    private static void check(boolean valid, int line) {
        if (!valid) {
            throw new SyntaxFault(line, "invalid syntax for function call expression");
        }
    }

    Expr filtersAndTests(Expr start) {
        Expr result = start;
        for (int count = 0; ; limit(++count)) {
            if (tokens.skipOperator("|")) {
                result = new Expr.Filter(result, filterCall());
            } else if (tokens.skipName("is")) {
                result = test(result);
            } else if (tokens.atOperator("(")) {
                result = new Expr.Call(result, arguments());
            } else {
                return result;
            }
        }
    }

    FilterCall filterCall() {
        int line = tokens.line();
        String name = dottedName("filter name");
        if (!Filters.exists(name)) {
            expressions.unknown(new SyntaxFault(line, "No filter named '" + name + "'."));
        }
        return new FilterCall(name, tokens.atOperator("(") ? arguments() : Arguments.NONE);
    }

    private String dottedName(String what) {
        StringBuilder name = new StringBuilder(tokens.expect(Type.NAME, what).text());
        while (tokens.skipOperator(".")) {
            name.append('.').append(tokens.expect(Type.NAME, what).text());
        }
        return name.toString();
    }

    private Expr test(Expr input) {
        boolean negated = tokens.skipName("not");
        int line = tokens.line();
        String name = dottedName("test name");
        if (!Tests.exists(name)) {
            expressions.unknown(new SyntaxFault(line, "No test named '" + name + "'."));
        }
        Arguments arguments = Arguments.NONE;
        if (tokens.atOperator("(")) {
            arguments = arguments();
        } else if (atTestArgument()) {
            if (tokens.atName("is")) {
                throw tokens.fault("You cannot chain multiple tests with is");
            }
            Expr argument = accesses(expressions.primary());
            arguments = new Arguments(List.of(argument), List.of(), null, null);
        }
        Expr test = new Expr.Test(input, name, arguments);
        return negated ? new Expr.Not(test) : test;
    }

    private boolean atTestArgument() {
        return switch (tokens.current().type()) {
            case LITERAL_STRING, LITERAL_INTEGER, LITERAL_FLOAT -> true;
            case OPERATOR -> tokens.atOperator("[") || tokens.atOperator("{");
            case NAME -> !tokens.atName("else") && !tokens.atName("or") && !tokens.atName("and");
            default -> false;
        };
    }
}
