package dev.tiller.loader.template;

import dev.tiller.loader.template.Stmt.Target;
import dev.tiller.loader.template.Token.Type;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Turns a template into statements. */
final class Parser {
    private static final int MAX_NESTING = 60;
    /** Names that change what a macro accepts when its body reads them. */
    private static final List<String> MACRO_NAMES = List.of("caller", "kwargs", "varargs");

    private final TokenStream tokens;
    private final Set<String> namesRead = new HashSet<>();
    private final ExpressionParser expressions;
    private int nesting;
    private int loops;

    private Parser(List<Token> tokens) {
        this.tokens = new TokenStream(tokens);
        this.expressions = new ExpressionParser(this.tokens, namesRead);
    }

    /** @throws SyntaxFault with the line where the template stops making sense */
    static List<Stmt> parse(String source) {
        Parser parser = new Parser(Lexer.tokens(source));
        List<Stmt> body = parser.statements();
        if (!parser.tokens.at(Type.END)) {
            throw parser.tokens.fault("unexpected " + parser.tokens.current().describe());
        }
        parser.expressions.checkUnknown();
        return body;
    }

    /** Statements up to the end of the template or to a tag that begins with one of the names. */
    private List<Stmt> statements(String... ends) {
        if (++nesting > MAX_NESTING) {
            throw tokens.fault("blocks nest too deeply (limit " + MAX_NESTING + ")");
        }
        List<Stmt> body = new ArrayList<>();
        while (!tokens.at(Type.END)) {
            Token token = tokens.next();
            switch (token.type()) {
                case DATA -> body.add(new Stmt.Data(token.text(), token.line()));
                case OUTPUT_BEGIN -> {
                    body.add(new Stmt.Output(expressions.tuple(true, null), token.line()));
                    tokens.expect(Type.OUTPUT_END, "end of print statement");
                }
                case BLOCK_BEGIN -> {
                    if (tokens.at(Type.NAME)
                            && List.of(ends).contains(tokens.current().text())) {
                        nesting--;
                        return body;
                    }
                    statement(body);
                    tokens.expect(Type.BLOCK_END, "end of statement block");
                }
                default -> throw new SyntaxFault(token.line(), "unexpected " + token.describe());
            }
        }
        if (ends.length > 0) {
            throw tokens.fault("unexpected end of template, looking for " + String.join(" or ", ends));
        }
        return body;
    }

    /** The body of a block: from the end of its tag to one of the end names, which stays the current token. */
    private List<Stmt> body(String... ends) {
        tokens.skipOperator(":");
        tokens.expect(Type.BLOCK_END, "end of statement block");
        return statements(ends);
    }

    /** A body in which unknown filters fail only when reached (or not, for what opens a scope of its own). */
    private List<Stmt> body(boolean lenient, String... ends) {
        boolean before = expressions.lenient(lenient);
        List<Stmt> body = body(ends);
        expressions.lenient(before);
        return body;
    }

    private List<Stmt> closedBody(String end) {
        List<Stmt> body = body(false, end);
        tokens.expectName(end);
        return body;
    }

    private void statement(List<Stmt> into) {
        Token tag = tokens.expect(Type.NAME, "tag name");
        int line = tag.line();
        switch (tag.text()) {
            case "if" -> into.add(ifStatement(line));
            case "for" -> into.add(forStatement(line));
            case "set" -> into.add(set(line));
            case "macro" -> into.add(macro(line));
            case "call" -> into.add(callBlock(line));
            case "filter" -> into.add(new Stmt.FilterBlock(expressions.filterChain(), closedBody("endfilter"), line));
            case "with" -> into.add(with(line));
            case "generation" -> into.add(new Stmt.Generation(outsideLoops("endgeneration"), line));
            case "print" -> print(into, line);
            case "break", "continue" -> {
                if (loops == 0) {
                    throw new SyntaxFault(line, "'" + tag.text() + "' outside of a loop");
                }
                into.add(tag.text().equals("break") ? new Stmt.Break(line) : new Stmt.Continue(line));
            }
            default -> throw new SyntaxFault(line, "Encountered unknown tag '" + tag.text() + "'.");
        }
    }

    /** A body that loops around it do not see: {@code break} cannot leave it. */
    private List<Stmt> outsideLoops(String end) {
        int before = loops;
        loops = 0;
        List<Stmt> body = closedBody(end);
        loops = before;
        return body;
    }

    private Stmt ifStatement(int line) {
        boolean before = expressions.lenient(true);
        List<Stmt.Branch> branches = new ArrayList<>();
        List<Stmt> otherwise = List.of();
        do {
            Expr test = expressions.tuple(false, null);
            branches.add(new Stmt.Branch(test, body("elif", "else", "endif")));
        } while (tokens.skipName("elif"));
        if (tokens.skipName("else")) {
            otherwise = body("endif");
        }
        tokens.expectName("endif");
        expressions.lenient(before);
        return new Stmt.If(branches, otherwise, line);
    }

    private Stmt forStatement(int line) {
        Target target = target("in", false);
        tokens.expectName("in");
        Expr over = expressions.tuple(false, "recursive");
        Expr test = tokens.skipName("if") ? expressions.expression() : null;
        boolean recursive = tokens.skipName("recursive");
        loops++;
        checkNotLoop(target, line);
        List<Stmt> body = body(false, "endfor", "else");
        loops--;
        List<Stmt> otherwise = List.of();
        if (tokens.skipName("else")) {
            int outer = loops;
            // A recursive loop is a function of its own; its else part cannot break the loop around it.
            loops = recursive ? 0 : outer;
            otherwise = body(false, "endfor");
            loops = outer;
        }
        tokens.expectName("endfor");
        return new Stmt.For(target, over, test, recursive, body, otherwise, line);
    }

    private void checkNotLoop(Target target, int line) {
        switch (target) {
            case Stmt.NameTarget name -> {
                if (loops > 0 && name.name().equals("loop")) {
                    throw new SyntaxFault(line, "Can't assign to special loop variable in for-loop");
                }
            }
            case Stmt.TupleTarget tuple -> tuple.targets().forEach(part -> checkNotLoop(part, line));
            case Stmt.AttributeTarget attribute -> {}
        }
    }

    private Stmt set(int line) {
        Target target = target(null, true);
        checkNotLoop(target, line);
        if (tokens.skipOperator("=")) {
            return new Stmt.Assign(target, expressions.tuple(true, null), line);
        }
        List<Expr.FilterCall> filters = tokens.skipOperator("|") ? expressions.filterChain() : List.of();
        return new Stmt.SetBlock(target, filters, closedBody("endset"), line);
    }

    private Stmt macro(int line) {
        String name = tokens.expect(Type.NAME, "macro name").text();
        return new Stmt.MacroDef(macroBody(name, signature(), "endmacro"), line);
    }

    private Stmt callBlock(int line) {
        // The signature of the caller stands before the call itself.
        List<Macro.Parameter> parameters = tokens.atOperator("(") ? signature() : List.of();
        Expr call = expressions.expression();
        if (!(call instanceof Expr.Call target)) {
            throw new SyntaxFault(line, "expected call");
        }
        return new Stmt.CallBlock(macroBody("caller", parameters, "endcall"), target, line);
    }

    private Macro.Definition macroBody(String name, List<Macro.Parameter> parameters, String end) {
        Set<String> outer = new HashSet<>(namesRead);
        namesRead.removeAll(MACRO_NAMES);
        List<Stmt> body = outsideLoops(end);
        Set<String> read = new HashSet<>(namesRead);
        namesRead.addAll(outer);
        return new Macro.Definition(
                name, parameters, body, read.contains("caller"), read.contains("kwargs"), read.contains("varargs"));
    }

    private List<Macro.Parameter> signature() {
        List<Macro.Parameter> parameters = new ArrayList<>();
        boolean defaults = false;
        tokens.expectOperator("(");
        while (!tokens.atOperator(")")) {
            if (!parameters.isEmpty()) {
                tokens.expectOperator(",");
            }
            String name = tokens.expect(Type.NAME, "parameter name").text();
            Expr value = tokens.skipOperator("=") ? expressions.expression() : null;
            if (defaults && value == null) {
                throw tokens.fault("non-default argument follows default argument");
            }
            defaults |= value != null;
            parameters.add(new Macro.Parameter(name, value));
        }
        tokens.expectOperator(")");
        return parameters;
    }

    private Stmt with(int line) {
        List<Stmt.Binding> bindings = new ArrayList<>();
        while (!tokens.at(Type.BLOCK_END)) {
            if (!bindings.isEmpty()) {
                tokens.expectOperator(",");
            }
            Target target = target(null, false);
            tokens.expectOperator("=");
            bindings.add(new Stmt.Binding(target, expressions.expression()));
        }
        return new Stmt.With(bindings, closedBody("endwith"), line);
    }

    private void print(List<Stmt> into, int line) {
        while (!tokens.at(Type.BLOCK_END)) {
            into.add(new Stmt.Output(expressions.expression(), line));
            if (!tokens.at(Type.BLOCK_END)) {
                tokens.expectOperator(",");
            }
        }
    }

    /** One name, or several with commas between them, perhaps in parentheses. */
    private Target target(String end, boolean withNamespace) {
        List<Target> targets = new ArrayList<>();
        boolean isTuple = false;
        while (!atTargetEnd(end)) {
            targets.add(singleTarget(withNamespace));
            if (!tokens.skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        if (targets.isEmpty()) {
            throw tokens.fault(
                    "expected a name to assign to, got " + tokens.current().describe());
        }
        return isTuple ? new Stmt.TupleTarget(targets) : targets.getFirst();
    }

    private boolean atTargetEnd(String end) {
        return tokens.at(Type.BLOCK_END) || tokens.atOperator(")") || (end != null && tokens.atName(end));
    }

    private Target singleTarget(boolean withNamespace) {
        if (tokens.skipOperator("(")) {
            if (++nesting > MAX_NESTING) {
                throw tokens.fault("assignment targets nest too deeply (limit " + MAX_NESTING + ")");
            }
            Target inner = target(null, withNamespace);
            nesting--;
            tokens.expectOperator(")");
            return inner;
        }
        Token name = tokens.expect(Type.NAME, "a name to assign to");
        if (Set.of("true", "false", "none", "True", "False", "None").contains(name.text())) {
            throw new SyntaxFault(name.line(), "can't assign to " + name.describe());
        }
        if (withNamespace && tokens.skipOperator(".")) {
            return new Stmt.AttributeTarget(
                    name.text(), tokens.expect(Type.NAME, "an attribute name").text());
        }
        return new Stmt.NameTarget(name.text());
    }
}
