package dev.tiller.persona.cli;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.hub.HubCache;
import dev.tiller.loader.hub.HubId;
import dev.tiller.loader.hub.HubSettings;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** Where the model is that a command line names: an existing path, or else {@code org/name} that was pulled before. */
final class ModelPath {
    /** What nobody calls a repository. */
    private static final Pattern FILE = Pattern.compile(".*\\.(safetensors|gguf|json|jsonl|pt|pth|svec|txt)");

    private ModelPath() {}

    /**
     * The directory or file; an error says how to get what is not there. The network is not used.
     *
     * @param option for messages, such as "--model "; may be empty
     */
    static Path find(String option, Path given) {
        return find(option, given, System.getenv());
    }

    static Path find(String option, Path given, Map<String, String> environment) {
        if (Files.exists(given)) {
            return given;
        }
        String none = option + given + ": no such file or directory";
        Optional<HubId> id = HubId.find(given.toString().replace(File.separatorChar, '/'));
        if (id.isEmpty() || FILE.matcher(id.get().repo()).matches()) {
            throw new TillerException(none);
        }
        HubCache cache = new HubCache(HubSettings.cache(environment));
        try {
            return cache.find(id.get());
        } catch (TillerException e) {
            // Few models have no owner, and many files that are not there have no folder.
            boolean meant = id.get().repo().contains("/") || cache.hasAny(id.get());
            throw new TillerException(meant ? none + "; " + e.getMessage() : none, e);
        }
    }

    /** Name of a model for people. */
    static String name(Path model) {
        Path path = model.toAbsolutePath().normalize();
        return HubCache.modelName(path).orElse(String.valueOf(path.getFileName()));
    }
}
