package dev.tiller.loader;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What some files of a family call its tensors. Beginnings of names may differ; single tensors may have other names; and
 * the matrices of all experts of a block may lie in one tensor, as transformers keeps them in memory.
 */
final class OtherNames {
    private final Map<String, String> prefixes;
    private final List<Other> others = new ArrayList<>();

    /**
     * @param name with a group where the number of the block stands
     * @param roles of what the tensor holds: one; or some of experts, and then [E, rows of all roles, columns]
     */
    private record Other(Pattern name, List<WeightRole> roles) {
        boolean stacked() {
            return roles.getFirst().perExpert();
        }
    }

    /**
     * @param prefixes beginnings of names, and what they stand for
     * @param others names, %d for the number of the block, and the roles of what is in them
     */
    OtherNames(Map<String, String> prefixes, Map<String, List<WeightRole>> others) {
        this.prefixes = new LinkedHashMap<>(prefixes);
        others.forEach((name, roles) -> this.others.add(
                new Other(Pattern.compile(Pattern.quote(name).replace("%d", "\\E(0|[1-9][0-9]{0,8})\\Q")), roles)));
    }

    /** Tensors under the usual names. Those that would collide, or that nobody knows, stay as they are. */
    Map<String, TensorView> canonical(Map<String, TensorView> tensors, WeightNames names, ModelConfig config) {
        Map<String, TensorView> begun = beginningsAsUsual(tensors);
        Map<String, Map<String, TensorView>> usual = new LinkedHashMap<>();
        begun.forEach((name, tensor) -> usual.put(name, usual(name, tensor, names, config)));
        return withoutCollisions(begun, usual);
    }

    /** The same with the usual beginnings; those that would collide stay as they are. */
    <T> Map<String, T> beginningsAsUsual(Map<String, T> tensors) {
        Map<String, Map<String, T>> usual = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> {
            String other = prefixes.keySet().stream()
                    .filter(name::startsWith)
                    .findFirst()
                    .map(prefix -> prefixes.get(prefix) + name.substring(prefix.length()))
                    .orElse(name);
            usual.put(name, Map.of(other, tensor));
        });
        return withoutCollisions(tensors, usual);
    }

    /** What each becomes, but for those that would take the name of another or the name that another would take. */
    private static <T> Map<String, T> withoutCollisions(Map<String, T> tensors, Map<String, Map<String, T>> usual) {
        Map<String, Integer> takers = new HashMap<>();
        usual.values().forEach(names -> names.keySet().forEach(name -> takers.merge(name, 1, Integer::sum)));
        Map<String, T> out = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> {
            Map<String, T> become = usual.get(name);
            if (become.keySet().stream().anyMatch(n -> tensors.containsKey(n) || takers.get(n) > 1)) {
                out.put(name, tensor);
            } else {
                out.putAll(become);
            }
        });
        return out;
    }

    private Map<String, TensorView> usual(String name, TensorView tensor, WeightNames names, ModelConfig config) {
        for (Other other : others) {
            Matcher match = other.name.matcher(name);
            if (match.matches()) {
                int block = Integer.parseInt(match.group(1));
                boolean known = block < config.blocks()
                        && other.roles.stream().allMatch(role -> names.expects(role, config, block));
                return !known
                        ? Map.of(name, tensor)
                        : other.stacked()
                                ? unstacked(tensor, other.roles, block, names, config)
                                : Map.of(names.name(other.roles.getFirst(), block), tensor);
            }
        }
        return Map.of(name, tensor);
    }

    /** The matrices of each expert: views of the tensor, which holds for one expert after the other those of its roles. */
    private static Map<String, TensorView> unstacked(
            TensorView tensor, List<WeightRole> roles, int block, WeightNames names, ModelConfig config) {
        long[] one = roles.getFirst().shape(config); // the same for all of them
        int experts = config.mlp().mixture().experts();
        long[] all = {experts, roles.size() * one[0], one[1]};
        if (!Arrays.equals(all, tensor.shape())) {
            throw new TillerException(
                    tensor.source() + ": tensor " + Messages.quote(tensor.name()) + ": expected shape "
                            + Arrays.toString(all) + " by the configuration, found " + Arrays.toString(tensor.shape()));
        }
        long bytes = tensor.data().byteSize() / experts / roles.size();
        Map<String, TensorView> out = new LinkedHashMap<>();
        for (int e = 0; e < experts; e++) {
            for (int r = 0; r < roles.size(); r++) {
                String name = names.name(roles.get(r), block, e);
                MemorySegment data = tensor.data().asSlice((e * roles.size() + r) * bytes, bytes);
                out.put(name, new TensorView(name, tensor.dtype(), one, data, tensor.source()));
            }
        }
        return out;
    }
}
