package dev.tiller.bench;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import dev.tiller.persona.cli.Console;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import picocli.CommandLine.Option;

/** Where a result goes: a table for people, or one object for programs. */
public final class Output {
    @Option(names = "--json", description = "One JSON object; the table goes to standard error.")
    private boolean json;

    /** The table on standard output; or the object there, on one line, and the table where notes go. */
    public void show(Console console, Consumer<String> notes, List<String> table, Supplier<JsonObject> object) {
        if (json) {
            table.forEach(notes);
            console.line(new GsonBuilder().disableHtmlEscaping().create().toJson(object.get()));
        } else {
            table.forEach(console::line);
        }
    }
}
