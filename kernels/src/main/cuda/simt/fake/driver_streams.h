// Calls for streams, events and graphs. Part of fakecuda.cpp.
#pragma once
#include "driver_core.h"

// ---- streams and events ----

API Status cuStreamCreate(void** out, unsigned) {
    NEED_CONTEXT;
    std::unique_ptr<Stream> s(new Stream);
    *out = s.get();
    streams[s.get()] = std::move(s);
    return SUCCESS;
}
API Status cuStreamDestroy_v2(void* handle) {
    NEED_CONTEXT;
    Stream* s = stream_of(handle);
    if (!handle || !s) return INVALID_HANDLE;
    drain(s);
    streams.erase(s);
    return sticky;
}
API Status cuStreamSynchronize(void* handle) {
    NEED_CONTEXT;
    Stream* s = stream_of(handle);
    if (!s) return INVALID_HANDLE;
    return s->capture ? spoil(s) : drain(s);
}
API Status cuStreamQuery(void* handle) {
    NEED_CONTEXT;
    Stream* s = stream_of(handle);
    if (!s) return INVALID_HANDLE;
    if (s->capture) return spoil(s);
    if (s->queue.empty()) return SUCCESS;
    step(s);
    return sticky ? sticky : NOT_READY;
}
API Status cuStreamIsCapturing(void* handle, int* status) {
    NEED_CONTEXT;
    *status = capturing(handle);
    return SUCCESS;
}

static double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}
API Status cuEventCreate(void** e, unsigned) {
    NEED_CONTEXT;
    *e = new Event;
    return SUCCESS;
}
API Status cuEventDestroy_v2(void* handle) {
    NEED_CONTEXT;
    Event* e = (Event*)handle;
    if (e->stream && e->reached < e->recorded) drain_all();
    delete e;
    return sticky;
}
API Status cuEventRecord(void* handle, void* stream) {
    NEED_CONTEXT;
    if (capturing(stream)) return SUCCESS;  // a recorded graph runs in order here, so nothing depends on its marks
    Event* e = (Event*)handle;
    e->stream = stream_of(stream);
    e->asked = false;
    long long number = ++e->recorded;
    return enqueue(stream, [=] {
        e->reached = number;
        e->millis = now();
        return (Status)SUCCESS;
    });
}
static Status reach(Event* e) {
    while (!sticky && e->reached < e->recorded && !e->stream->queue.empty()) step(e->stream);
    return sticky;
}
API Status cuEventSynchronize(void* handle) {
    NEED_CONTEXT;
    return reach((Event*)handle);
}
API Status cuEventQuery(void* handle) {
    NEED_CONTEXT;
    Event* e = (Event*)handle;
    if (e->reached == e->recorded) return SUCCESS;
    if (e->asked) return reach(e);  // ready when asked for the second time, so that loops end
    e->asked = true;
    return NOT_READY;
}
API Status cuStreamWaitEvent(void* stream, void* handle, unsigned) {
    NEED_CONTEXT;
    Event* e = (Event*)handle;
    if (capturing(stream)) return SUCCESS;
    return enqueue(stream, [=] { return reach(e); });
}
API Status cuEventElapsedTime(float* ms, void* a, void* b) {
    NEED_CONTEXT;
    Event *from = (Event*)a, *to = (Event*)b;
    if (!from->recorded || !to->recorded) return INVALID_HANDLE;
    if (from->reached < from->recorded || to->reached < to->recorded) return NOT_READY;
    *ms = to->millis - from->millis;
    return SUCCESS;
}

// ---- graphs ----

API Status cuStreamBeginCapture_v2(void* handle, int) {
    NEED_CONTEXT;
    Stream* s = stream_of(handle);
    if (!handle || !s || s->capture) return CAPTURE_UNSUPPORTED;
    s->capture.reset(new Graph);
    return SUCCESS;
}
API Status cuStreamEndCapture(void* handle, void** graph) {
    NEED_CONTEXT;
    Stream* s = stream_of(handle);
    if (!s || !s->capture) return INVALID_VALUE;
    std::unique_ptr<Graph> g = std::move(s->capture);
    if (g->spoiled) return CAPTURE_INVALIDATED;
    *graph = g.release();
    return SUCCESS;
}
typedef std::shared_ptr<const std::vector<Work>> Executable;
API Status cuGraphInstantiateWithFlags(void** e, void* g, unsigned long long) {
    NEED_CONTEXT;
    *e = new Executable(std::make_shared<const std::vector<Work>>(((Graph*)g)->work));
    return SUCCESS;
}
API Status cuGraphLaunch(void* e, void* stream) {
    NEED_CONTEXT;
    Executable run = *(Executable*)e;
    return enqueue(stream, [run]() -> Status {
        for (const Work& w : *run)
            if (Status s = w()) return s;
        return SUCCESS;
    });
}
API Status cuGraphUpload(void*, void*) { return SUCCESS; }
API Status cuGraphDestroy(void* g) {
    delete (Graph*)g;
    return SUCCESS;
}
API Status cuGraphExecDestroy(void* e) {
    delete (Executable*)e;
    return SUCCESS;
}
