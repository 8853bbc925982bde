// Calls for modules, functions and launches. Part of fakecuda.cpp.
#pragma once
#include "driver_core.h"

struct Function {
    const SimtKernel* kernel;
    int dynamicShared = 48 << 10;
    unsigned mostThreads = 1024;
};
struct Library {  // of build.sh: the kernels of one .cu file
    const SimtKernel* kernels;
    int count;
};
struct Module {
    std::string text;
    bool own;  // a library of its own, no PTX
    Library library;
    std::map<std::string, Function> functions;
};

static Status open_library(const std::string& path, Library* out, std::string* log) {
    void* opened = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    auto table = opened ? (const SimtKernel* (*)(int*))dlsym(opened, "simt_module_kernels") : nullptr;
    if (!table) {
        *log = std::string("not a library of kernels: ") + dlerror();
        return INVALID_IMAGE;
    }
    out->kernels = table(&out->count);
    return SUCCESS;
}

// The built-in kernels lie beside this library.
static std::vector<Library> open_built_in() {
    std::vector<Library> all;
    Dl_info self;
    if (!dladdr((void*)open_built_in, &self)) return all;
    std::string file = self.dli_fname, folder = file.substr(0, file.rfind('/')) + "/kernels/";
    DIR* dir = opendir(folder.c_str());
    while (dirent* e = dir ? readdir(dir) : nullptr) {
        std::string name = e->d_name, log;
        Library l;
        if (name.size() < 3 || name.substr(name.size() - 3) != ".so") continue;
        if (open_library(folder + name, &l, &log)) broken(INVALID_IMAGE, log.c_str());
        else all.push_back(l);
    }
    if (dir) closedir(dir);
    return all;
}

static const SimtKernel* find(const Library& l, const char* name) {
    for (int i = 0; i < l.count; i++)
        if (!strcmp(name, l.kernels[i].name)) return &l.kernels[i];
    return nullptr;
}
static const SimtKernel* find_built_in(const char* name) {
    static const std::vector<Library> all = open_built_in();
    for (const Library& l : all)
        if (const SimtKernel* k = find(l, name)) return k;
    return nullptr;
}

// The entry's header in the PTX, or empty: a function exists only if the PTX really has it.
static std::string header_of(const std::string& ptx, const std::string& name) {
    size_t at = ptx.find(".entry " + name + "(");
    return at == std::string::npos ? "" : ptx.substr(at, ptx.find('{', at) - at);
}

API Status cuModuleLoadDataEx(void** out, const void* image, unsigned n, int* options, void** values) {
    NEED_CONTEXT;
    static const std::string key = "// simt-module: ";  // the path of a library of build.sh --module
    std::unique_ptr<Module> m(new Module{(const char*)image, !strncmp((const char*)image, key.c_str(), key.size())});
    std::string log;
    Status status = SUCCESS;
    if (m->own) {
        status = open_library(m->text.substr(key.size(), m->text.find('\n') - key.size()), &m->library, &log);
    } else if (m->text.find("\n.version ") == std::string::npos || m->text.find(".entry ") == std::string::npos) {
        log = "this is no PTX: it has no .version or no .entry";
        status = INVALID_PTX;
    }
    char* buffer = nullptr;
    size_t size = 0;
    for (unsigned i = 0; i < n; i++) {
        if (options[i] == 5) buffer = (char*)values[i];
        if (options[i] == 6) size = (size_t)values[i] & 0xffffffffu;
    }
    if (status && buffer && size) snprintf(buffer, size, "%s", log.c_str());
    if (!status) *out = m.release();
    return status;
}
API Status cuModuleLoadData(void** m, const void* image) { return cuModuleLoadDataEx(m, image, 0, nullptr, nullptr); }
API Status cuModuleUnload(void* m) {
    NEED_CONTEXT;
    if (Status s = drain_all()) return s;
    delete (Module*)m;  // its library stays open: graphs may still hold its kernels
    return SUCCESS;
}
API Status cuModuleGetFunction(void** out, void* handle, const char* name) {
    NEED_CONTEXT;
    Module* m = (Module*)handle;
    std::string header = m->own ? "" : header_of(m->text, name);
    if (!m->own && header.empty()) return NOT_FOUND;
    const SimtKernel* k = m->own ? find(m->library, name) : find_built_in(name);
    if (!k && !m->own) return broken(NOT_FOUND, "a kernel that the PTX has was not built into this driver");
    if (!k) return NOT_FOUND;
    Function& f = m->functions[name];
    f.kernel = k;
    size_t at = header.find(".maxntid ");
    unsigned x = 1024, y = 1, z = 1;
    if (at != std::string::npos) sscanf(header.c_str() + at, ".maxntid %u, %u, %u", &x, &y, &z);
    f.mostThreads = x * y * z;
    *out = &f;
    return SUCCESS;
}
API Status cuFuncSetAttribute(void* f, int which, int value) {
    NEED_CONTEXT;
    if (which == 8 && value > 232448) return INVALID_VALUE;
    if (which == 8) ((Function*)f)->dynamicShared = value;
    return SUCCESS;
}
API Status cuFuncGetAttribute(int* value, int which, void* f) {
    NEED_CONTEXT;
    *value = which == 0 ? ((Function*)f)->mostThreads : which == 8 ? ((Function*)f)->dynamicShared : 0;
    return SUCCESS;
}

static Status check_pointers(const SimtKernel* k, void** params) {
    for (int i = 0; k->kinds[i]; i++) {
        Address p = k->kinds[i] == 'p' ? *(Address*)params[i] : 0;
        if (p && !on_device(p, 1) && !is_pinned((void*)p, 1)) {
            fprintf(stderr, "fake driver: parameter %d of kernel %s points to %p, which is not allocated\n", i, k->name, (void*)p);
            return INVALID_VALUE;
        }
    }
    return SUCCESS;
}
API Status cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                          void* stream, void** params, void** extra) {
    NEED_CONTEXT;
    Function* fn = (Function*)f;
    if (!fn || extra || !gx || !gy || !gz || gy > 65535 || gz > 65535) return INVALID_VALUE;
    unsigned long long threads = 1ull * bx * by * bz;
    if (!threads || threads > 1024 || (int)shared > fn->dynamicShared) return INVALID_VALUE;
    if (threads > fn->mostThreads) return LAUNCH_OUT_OF_RESOURCES;
    const SimtKernel* k = fn->kernel;
    if (Status s = check_pointers(k, params)) return s;
    std::shared_ptr<void> bound(k->bind(params), k->unbind);
    return enqueue(stream, [=]() -> Status {
        unsigned grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
        return k->run(bound.get(), grid, block, shared, k->name);
    });
}
