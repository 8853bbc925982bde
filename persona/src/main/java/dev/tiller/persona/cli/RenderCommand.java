package dev.tiller.persona.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.TokenizerFiles;
import dev.tiller.loader.template.AssistantSpans;
import dev.tiller.loader.template.ChatTemplate;
import dev.tiller.loader.template.RenderedChat;
import dev.tiller.loader.template.RoleSpan;
import dev.tiller.loader.template.RoleSpans;
import dev.tiller.loader.template.Span;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeParseException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** {@code tiller render}: conversations as the text that a model reads. */
@Command(
        name = "render",
        header = "Render conversations with a chat template.",
        description = "Prints the prompt for a conversation. With --json reads an object {\"messages\", \"tools\","
                + " \"add_generation_prompt\", \"vars\"} per line of standard input and writes a line {\"output\"} or"
                + " {\"error\"} for each; tools and documents that are not given are null, as in transformers.",
        footer = {
            "",
            "Examples:",
            "  tiller render --messages chat.json",
            "  tiller render --template chat_template.jinja --json --now 2025-01-15T12:00:00 < conversations.jsonl",
            "  tiller render --messages chat.json --spans"
        })
final class RenderCommand implements Callable<Integer> {
    private static final Set<String> KEYS = Set.of("messages", "tools", "add_generation_prompt", "vars");

    private final Console console;

    @Option(
            names = "--model",
            paramLabel = "PATH",
            description =
                    "Model directory or .gguf file whose template and special tokens are used (default: the bundled"
                            + " model).")
    private Path model;

    @Option(names = "--template", paramLabel = "FILE", description = "A template of its own instead of a model's.")
    private Path templateFile;

    @Option(names = "--json", description = "JSON objects in and out, one per line.")
    private boolean json;

    @Option(names = "--spans", description = "Also shows who says what; with --messages one JSON object, too.")
    private boolean spans;

    @Option(
            names = "--messages",
            paramLabel = "FILE",
            description = "JSON list of messages; prints its prompt, ready for the answer.")
    private Path messages;

    @Option(
            names = "--now",
            paramLabel = "TIME",
            converter = Time.class,
            description = "The time that the template sees, as 2025-01-15T12:00:00 (default: the clock).")
    private LocalDateTime now;

    RenderCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        if (json == (messages != null)) {
            throw new TillerException(
                    "render: give either --json (conversations on standard input) or --messages FILE");
        }
        if (model != null && templateFile != null) {
            throw new TillerException("render: --model and --template do not go together");
        }
        Map<String, Object> variables = new HashMap<>();
        ChatTemplate template = template(variables);
        LocalDateTime time = now != null ? now : LocalDateTime.now();
        if (messages != null && spans) {
            Map<String, Object> context = new HashMap<>(variables);
            context.put("messages", PromptArguments.messages(messages));
            context.put("add_generation_prompt", true);
            console.line(JsonLines.write(answer(template, context, time)));
            return Main.OK;
        }
        if (messages != null) {
            console.out()
                    .print(template.render(PromptArguments.messages(messages), null, true, variables, time)
                            .text());
            console.flush();
            return Main.OK;
        }
        JsonLines lines = new JsonLines(console.in());
        for (String line = lines.next(); line != null; line = lines.next()) {
            JsonObject answer = new JsonObject();
            try {
                answer = answer(template, context(line, lines.where(), variables), time);
            } catch (TillerException e) {
                answer.addProperty("error", ErrorReport.line(e));
            }
            console.line(JsonLines.write(answer));
        }
        return Main.OK;
    }

    private JsonObject answer(ChatTemplate template, Map<String, Object> context, LocalDateTime time) {
        JsonObject answer = new JsonObject();
        if (!spans) {
            answer.addProperty("output", template.render(context, time));
            return answer;
        }
        Map<String, Object> others = new HashMap<>(context);
        Object said = others.remove("messages");
        RoleSpans.Rendering rendering = new RoleSpans.Rendering(
                template,
                said instanceof JsonArray array ? array.asList() : (List<?>) said,
                null, // or among the others
                (Boolean) others.remove("add_generation_prompt"),
                others,
                time);
        RenderedChat chat = template.render(rendering.messages(), null, rendering.addGenerationPrompt(), others, time);
        String text = chat.text();
        answer.addProperty("output", text);
        JsonArray places = new JsonArray();
        for (RoleSpan s : RoleSpans.all(rendering, text, template.thinking().orElse(null))) {
            JsonObject o = new JsonObject();
            o.addProperty("message", s.message());
            o.addProperty("role", s.role());
            o.addProperty("start", text.codePointCount(0, s.span().start()));
            o.addProperty("end", text.codePointCount(0, s.span().end()));
            places.add(o);
        }
        answer.add("spans", places);
        JsonArray turns = new JsonArray();
        for (Span s : AssistantSpans.find(rendering, chat, template.thinking().orElse(null))) {
            JsonArray turn = new JsonArray();
            turn.add(text.codePointCount(0, s.start()));
            turn.add(text.codePointCount(0, s.end()));
            turns.add(turn);
        }
        answer.add("assistant", turns);
        return answer;
    }

    /** The template; the special tokens of its model go to {@code variables}. */
    private ChatTemplate template(Map<String, Object> variables) throws IOException {
        if (templateFile != null) {
            return ChatTemplate.parse(Files.readString(templateFile), templateFile.toString());
        }
        Path path = model == null ? ModelOptions.bundled() : ModelPath.find("--model ", model);
        String source =
                Files.isDirectory(path) ? TokenizerFiles.chatTemplate(path).orElse(null) : null;
        if (source != null) {
            variables.putAll(TokenizerFiles.specialTokens(path));
            return ChatTemplate.parse(source, path.toString());
        }
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            variables.putAll(checkpoint.specialTokens());
            return ChatTemplate.parse(
                    checkpoint
                            .chatTemplateSource()
                            .orElseThrow(() -> new TillerException(path + ": has no chat template")),
                    path.toString());
        }
    }

    private static Map<String, Object> context(String line, String where, Map<String, Object> variables) {
        JsonObject request = Json.parseObject(line, where);
        Json.onlyKeys(request, KEYS, where);
        Map<String, Object> context = new HashMap<>(variables);
        context.put("tools", null);
        context.put("documents", null);
        if (request.has("vars") && !request.get("vars").isJsonNull()) {
            for (Map.Entry<String, JsonElement> e :
                    Json.object(request, "vars", where).entrySet()) {
                context.put(e.getKey(), e.getValue());
            }
        }
        context.put("messages", Json.array(request, "messages", where));
        context.put("add_generation_prompt", Json.boolOr(request, "add_generation_prompt", false, where));
        if (request.has("tools") && !request.get("tools").isJsonNull()) {
            context.put("tools", Json.array(request, "tools", where));
        }
        return context;
    }

    static final class Time implements ITypeConverter<LocalDateTime> {
        @Override
        public LocalDateTime convert(String value) {
            try {
                return LocalDateTime.parse(value);
            } catch (DateTimeParseException e) {
                throw new TypeConversionException("expected a time like 2025-01-15T12:00:00, found \"" + value + "\"");
            }
        }
    }
}
