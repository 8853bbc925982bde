package dev.tiller.loader.template;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.TemplateException.Kind;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A parsed chat template: the Jinja text that a model's tokenizer_config.json, chat_template.jinja or GGUF file brings
 * along. Safe for use by several threads; each rendering has its own state and bounds on steps, text and depth, so that
 * a hostile template ends in a {@link TemplateException}.
 */
public final class ChatTemplate {
    private final String name;
    private final List<Stmt> body;
    private final Optional<ThinkingMarkers> thinking;

    private ChatTemplate(String name, List<Stmt> body, Optional<ThinkingMarkers> thinking) {
        this.name = name;
        this.body = body;
        this.thinking = thinking;
    }

    /**
     * @param source the Jinja text
     * @param name names the template in error messages, e.g. the file it came from
     * @throws TemplateException if the text is no template, with the line at fault
     */
    public static ChatTemplate parse(String source, String name) {
        try {
            return new ChatTemplate(name, Parser.parse(source), ThinkingMarkers.of(source));
        } catch (SyntaxFault fault) {
            throw new TemplateException(Kind.SYNTAX, name, fault.line(), fault.getMessage());
        } catch (Fault fault) {
            throw new TemplateException(Kind.SYNTAX, name, 1, fault.getMessage());
        } catch (StackOverflowError tooDeep) {
            throw new TemplateException(Kind.LIMIT, name, 1, "the template nests too deeply");
        }
    }

    /**
     * The prompt for a conversation at the current time.
     *
     * @see #render(List, List, boolean, Map, LocalDateTime)
     */
    public RenderedChat render(List<?> messages, List<?> tools, boolean addGenerationPrompt, Map<String, ?> variables) {
        return render(messages, tools, addGenerationPrompt, variables, LocalDateTime.now());
    }

    /**
     * The prompt for a conversation.
     *
     * @param messages the turns: {@link Message}s, maps or JSON objects
     * @param tools JSON schemas of the functions the model may call; null leaves the template's variable undefined
     * @param addGenerationPrompt whether the text ends with the head of an answer
     * @param variables further variables of the template, e.g. bos_token
     * @param now what {@code strftime_now} shows
     * @throws TemplateException if the template refuses or does not support the conversation
     */
    public RenderedChat render(
            List<?> messages, List<?> tools, boolean addGenerationPrompt, Map<String, ?> variables, LocalDateTime now) {
        return render(messages, tools, addGenerationPrompt, variables, now, new Budget());
    }

    /** The same, for who wants to know what it took. */
    RenderedChat render(
            List<?> messages,
            List<?> tools,
            boolean addGenerationPrompt,
            Map<String, ?> variables,
            LocalDateTime now,
            Budget budget) {
        Map<String, Object> context = new HashMap<>(variables);
        context.put("messages", messages);
        context.put("add_generation_prompt", addGenerationPrompt);
        if (tools != null) {
            context.put("tools", tools);
        }
        Interpreter run = new Interpreter(now, budget);
        Output output = run(run, context);
        if (run.lostSpans()) {
            throw new TemplateException(
                    Kind.RUNTIME,
                    name,
                    run.line(),
                    "a generation block stands in a text that was changed before it was printed; its place is unknown");
        }
        return new RenderedChat(output.toString(), output.spans());
    }

    /**
     * The text for any set of variables.
     *
     * @param context values by name, of the types that {@link TemplateValues#of} takes
     * @param now what {@code strftime_now} shows
     * @throws TemplateException if the template refuses or does not support these values
     */
    public String render(Map<String, ?> context, LocalDateTime now) {
        return run(new Interpreter(now, new Budget()), context).toString();
    }

    private Output run(Interpreter run, Map<String, ?> context) {
        Map<String, Object> names = new HashMap<>();
        context.forEach((key, value) -> names.put(key, variable(key, value)));
        try {
            return run.run(body, names);
        } catch (Fault fault) {
            throw new TemplateException(fault.kind(), name, run.line(), fault.getMessage());
        } catch (StackOverflowError tooDeep) {
            throw new TemplateException(Kind.LIMIT, name, run.line(), "the template nests too deeply");
        }
    }

    private Object variable(String key, Object value) {
        try {
            return TemplateValues.of(value);
        } catch (TillerException e) {
            throw new TillerException(name + ": variable '" + key + "': " + e.getMessage(), e);
        }
    }

    /** The markers of thoughts that the text of the template names; empty if there are none. */
    public Optional<ThinkingMarkers> thinking() {
        return thinking;
    }

    /** The name given to {@link #parse}. */
    public String name() {
        return name;
    }
}
