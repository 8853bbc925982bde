package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.bench.Documents.Piece;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.loader.SharedFiles;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.Main;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.IllegalFormatException;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** What the documents tell a reader to type is understood, and what they point at is there. */
class DocumentsTest {
    private static final Path ROOT = SharedFiles.repository("README.md").getParent();
    private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|(\\S+)");
    private static final Pattern OUR_FILE = Pattern.compile("(bench|docs|kernels|models|traits)/.*");

    private final CommandLine tiller = Main.commandLine(Console.of(
            new ByteArrayInputStream(new byte[0]), OutputStream.nullOutputStream(), OutputStream.nullOutputStream()));

    /** Words of a command line; two spaces begin a remark, and what "#", "<", ">" or "|" begins is not for us. */
    private static List<String> words(String line) {
        List<String> words = new ArrayList<>();
        Matcher m = WORD.matcher(line);
        int end = 0;
        while (m.find()) {
            if (m.start() > end + 1 || m.group().matches("[#<>|].*")) {
                break;
            }
            words.add(m.group(1) != null ? m.group(1) : m.group(2));
            end = m.end();
        }
        return words.subList(1, words.size());
    }

    /** What is wrong with a command line; null if nothing is. */
    private String fault(List<String> words) {
        try {
            tiller.parseArgs(words.toArray(String[]::new));
            return null;
        } catch (ParameterException e) {
            return e.getMessage();
        }
    }

    /** The same of a synopsis, which may leave out what is required and has FILE or N for values. */
    private String faultOfSynopsis(String synopsis) {
        try {
            tiller.parseArgs(words(plain(synopsis)).toArray(String[]::new));
            return null;
        } catch (MissingParameterException e) {
            return null;
        } catch (ParameterException e) {
            return e.getValue() != null && e.getValue().matches("[A-Z]+") ? null : e.getMessage();
        }
    }

    /** A synopsis as one command line that it allows: every option, of several values the first. */
    private static String plain(String synopsis) {
        return synopsis.replaceAll("\\|[^\\s\\]]*", "").replaceAll("[\\[\\]]|\\.\\.\\.(?= |$)", "");
    }

    @Test
    void commandLinesAreUnderstood() throws IOException {
        List<String> faults = new ArrayList<>();
        int seen = 0;
        for (Path file : Documents.all(ROOT)) {
            for (Piece p : new Documents(Files.readString(file)).commands()) {
                List<String> words = words(p.text());
                add(faults, file, p, fault(words));
                for (String word : words) {
                    boolean absent = OUR_FILE.matcher(word).matches() && !Files.exists(ROOT.resolve(word));
                    add(faults, file, p, absent ? word + ": no such file" : null);
                }
                seen++;
            }
        }
        assertEquals(List.of(), faults);
        assertTrue(seen > 20, seen + " command lines");
    }

    @Test
    void commandsInSentencesAreUnderstood() throws IOException {
        Set<String> commands = tiller.getSubcommands().keySet();
        List<String> faults = new ArrayList<>();
        int seen = 0;
        for (Path file : Documents.all(ROOT)) {
            for (Piece p : new Documents(Files.readString(file)).spans()) {
                String text = p.text().replaceFirst("^\\./tiller ", "tiller ");
                if (!text.startsWith("tiller ") && commands.contains(text.split(" ")[0])) {
                    text = "tiller " + text;
                }
                if (text.startsWith("tiller ")) {
                    add(faults, file, p, faultOfSynopsis(text));
                    seen++;
                }
            }
        }
        assertEquals(List.of(), faults);
        assertTrue(seen > 20, seen + " commands");
    }

    @Test
    void plansAreUnderstood() throws IOException {
        SteeringVector any = SteeringVector.uniform("any", new float[] {1, 0});
        int seen = 0;
        for (Path file : Documents.all(ROOT)) {
            for (String plan : new Documents(Files.readString(file)).blocks("json")) {
                SteeringPlan.parse(plan, ROOT.relativize(file).toString(), reference -> any);
                seen++;
            }
        }
        assertTrue(seen > 1, seen + " plans");
    }

    @Test
    void examplesOfTheHelpAreUnderstood() {
        List<String> faults = new ArrayList<>();
        List<CommandLine> commands = new ArrayList<>(List.of(tiller));
        int seen = 0;
        for (int i = 0; i < commands.size(); i++) {
            CommandLine command = commands.get(i);
            commands.addAll(command.getSubcommands().values());
            String name = command.getCommandSpec().qualifiedName() + " --help: ";
            for (String text : texts(command.getCommandSpec())) {
                if (!isFormat(text)) {
                    faults.add(name + "% without a second one: " + text);
                }
            }
            command.setUsageHelpAutoWidth(false).setUsageHelpWidth(1000);
            for (String line : command.getUsageMessage().lines().toList()) {
                if (line.strip().startsWith("tiller ")) {
                    String fault = faultOfSynopsis(line.strip());
                    if (fault != null) {
                        faults.add(name + line + ": " + fault);
                    }
                    seen++;
                }
            }
        }
        assertEquals(List.of(), faults);
        assertTrue(seen > 20, seen + " examples");
    }

    private static List<String> texts(CommandSpec command) {
        List<String> texts = new ArrayList<>();
        texts.addAll(List.of(command.usageMessage().header()));
        texts.addAll(List.of(command.usageMessage().description()));
        texts.addAll(List.of(command.usageMessage().footer()));
        command.args().forEach(a -> texts.addAll(List.of(a.description())));
        return texts;
    }

    private static boolean isFormat(String text) {
        try {
            return !String.format(text).isEmpty() || text.isEmpty();
        } catch (IllegalFormatException e) {
            return false;
        }
    }

    @Test
    void linksLeadSomewhere() throws IOException {
        List<String> faults = new ArrayList<>();
        int seen = 0;
        for (Path file : Documents.all(ROOT)) {
            for (Piece p : new Documents(Files.readString(file)).links()) {
                if (!p.text().matches("[a-z]+:.*")) {
                    add(faults, file, p, leads(file, p.text()) ? null : "leads nowhere");
                    seen++;
                }
            }
        }
        assertEquals(List.of(), faults);
        assertTrue(seen > 20, seen + " links");
    }

    @Test
    void theReadmeLeadsToEveryDocument() throws IOException {
        Set<String> links = new TreeSet<>();
        new Documents(Files.readString(ROOT.resolve("README.md")))
                .links()
                .forEach(p -> links.add(p.text().split("#")[0]));
        for (Path file : Documents.all(ROOT.resolve("docs"))) {
            assertTrue(links.contains("docs/" + file.getFileName()), file + " is linked from README.md");
        }
    }

    private static boolean leads(Path from, String link) throws IOException {
        String[] parts = link.split("#", 2);
        Path to = parts[0].isEmpty() ? from : from.resolveSibling(parts[0]);
        return Files.exists(to)
                && (parts.length == 1
                        || new Documents(Files.readString(to)).anchors().contains(parts[1]));
    }

    private static void add(List<String> faults, Path file, Piece p, String fault) {
        if (fault != null) {
            faults.add(ROOT.relativize(file) + ":" + p.line() + ": " + p.text() + ": " + fault);
        }
    }

    /** The rules see what is wrong: they would be of no use otherwise. */
    @Test
    void faultsAreFound() throws IOException {
        Documents text = new Documents("""
                    $ ./tiller demo --made-up   (a remark)
                ```
                tiller generate --prompt "two words" \\
                  --max-tokens 3  # so many
                ```
                `tiller cache no-such`, [a](#a-head), [b](#none), [c](absent.md)
                ## A head!
                """);
        List<Piece> commands = text.commands();
        assertEquals(List.of(1, 3), commands.stream().map(Piece::line).toList());
        assertEquals(List.of("demo", "--made-up"), words(commands.getFirst().text()));
        assertTrue(fault(words(commands.getFirst().text())).contains("--made-up"));
        List<String> good = List.of("generate", "--prompt", "two words", "--max-tokens", "3");
        assertEquals(good, words(commands.getLast().text()));
        assertEquals(null, fault(good));
        assertTrue(fault(List.of("generate", "--max-tokens", "three")).contains("three"));
        assertTrue(fault(List.of("convert", "a.gguf")).contains("Missing"));
        assertTrue(faultOfSynopsis(text.spans().getFirst().text()).contains("no-such"));
        assertTrue(faultOfSynopsis("tiller convert MODEL [--dtypes f32]").contains("--dtypes"));
        assertEquals(null, faultOfSynopsis("tiller convert MODEL --dtype TYPE"));
        assertEquals("tiller convert a@b OUT --dtype f32", plain("tiller convert a[@b] OUT... [--dtype f32|f16|bf16]"));
        assertTrue(isFormat("5 %% of all") && !isFormat("5 % of all"));
        assertEquals(Set.of("a-head"), text.anchors());
        assertEquals(
                List.of("#a-head", "#none", "absent.md"),
                text.links().stream().map(Piece::text).toList());
        Path readme = ROOT.resolve("README.md");
        assertTrue(leads(readme, "docs/gguf.md#types") && !leads(readme, "absent.md") && !leads(readme, "#none"));
    }
}
