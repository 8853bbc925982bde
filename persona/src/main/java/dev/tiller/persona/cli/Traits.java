package dev.tiller.persona.cli;

import dev.tiller.loader.TillerException;
import dev.tiller.persona.Judge;
import dev.tiller.persona.RuleJudge;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Trait files by name. A model directory may bring its own ({@code traits/NAME.json}, with the rules of a judge in
 * {@code judge/NAME.json}); others lie in the folder {@code traits} of the program.
 */
final class Traits {
    /** Traits that the demo tries, in this order, if none is named. */
    private static final List<String> PREFERRED = List.of("optimistic", "cheerful");

    private Traits() {}

    /** The file of a trait: a path, or a name. */
    static Path find(String nameOrFile, Path model) {
        Path direct = Path.of(nameOrFile);
        if (nameOrFile.endsWith(".json") || nameOrFile.contains("/")) {
            if (!Files.isRegularFile(direct)) {
                throw new TillerException("--trait " + nameOrFile + ": no such file");
            }
            return direct;
        }
        for (Path folder : folders(model)) {
            Path file = folder.resolve(nameOrFile + ".json");
            if (Files.isRegularFile(file)) {
                return file;
            }
        }
        throw new TillerException("--trait " + nameOrFile + ": unknown trait; known are "
                + String.join(", ", names(model)) + ", or give a trait file (.json)");
    }

    /** The trait that shows this model best. */
    static Path preferred(Path model) {
        for (Path folder : folders(model)) {
            for (String name : PREFERRED) {
                Path file = folder.resolve(name + ".json");
                if (Files.isRegularFile(file)) {
                    return file;
                }
            }
        }
        throw new TillerException("no trait file was found for this model; name one: --trait FILE");
    }

    /** The judge that the model brings for its own trait file. */
    static Optional<Judge> judge(Path traitFile) {
        Path rules =
                traitFile.toAbsolutePath().getParent().resolveSibling("judge").resolve(traitFile.getFileName());
        return Files.isRegularFile(rules) ? Optional.of(RuleJudge.read(rules)) : Optional.empty();
    }

    /** Names of the traits that can be given without a path. */
    static List<String> names(Path model) {
        TreeSet<String> names = new TreeSet<>();
        for (Path folder : folders(model)) {
            try (Stream<Path> files = Files.list(folder)) {
                files.map(f -> f.getFileName().toString())
                        .filter(f -> f.endsWith(".json"))
                        .forEach(f -> names.add(f.substring(0, f.length() - ".json".length())));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return List.copyOf(names);
    }

    /** A model's own traits are those that it can show, so they hide the general ones. */
    private static List<Path> folders(Path model) {
        return Stream.of(model.resolve("traits"), ModelOptions.home().resolve("traits"))
                .filter(Files::isDirectory)
                .limit(1)
                .toList();
    }
}
