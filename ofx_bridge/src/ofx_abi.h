// The part of the OpenFX 1.4 C interface that this plug-in uses: own declarations, sizes and slots checked below.
//
// Source: the published OpenFX 1.4 and 1.5.1 reference (openfx.readthedocs.io). Names follow the standard, so that
// its documents can be read beside this file.
#pragma once

#include <cstddef>

#if defined(_WIN32)
#define FILMRESTORE_EXPORT extern "C" __declspec(dllexport)
#else
#define FILMRESTORE_EXPORT extern "C" __attribute__((visibility("default")))
#endif

extern "C" {

using OfxStatus = int;
using OfxTime = double;
using OfxPropertySetHandle = struct OfxPropertySetStruct *;
using OfxImageEffectHandle = struct OfxImageEffectStruct *;
using OfxImageClipHandle = struct OfxImageClipStruct *;
using OfxImageMemoryHandle = struct OfxImageMemoryStruct *;
using OfxParamSetHandle = struct OfxParamSetStruct *;
using OfxParamHandle = struct OfxParamStruct *;

struct OfxRectI {
    int x1, y1, x2, y2;
};
struct OfxRectD {
    double x1, y1, x2, y2;
};
struct OfxRangeD {
    double min, max;
};

struct OfxHost {
    OfxPropertySetHandle host;
    const void *(*fetchSuite)(OfxPropertySetHandle host, const char *suite, int version);
};

using OfxPluginEntryPoint = OfxStatus(const char *action, const void *handle, OfxPropertySetHandle in,
                                      OfxPropertySetHandle out);

struct OfxPlugin {
    const char *pluginApi;
    int apiVersion;
    const char *pluginIdentifier;
    unsigned int pluginVersionMajor;
    unsigned int pluginVersionMinor;
    void (*setHost)(OfxHost *host);
    OfxPluginEntryPoint *mainEntry;
};

struct OfxPropertySuiteV1 {
    OfxStatus (*propSetPointer)(OfxPropertySetHandle, const char *name, int index, void *value);
    OfxStatus (*propSetString)(OfxPropertySetHandle, const char *name, int index, const char *value);
    OfxStatus (*propSetDouble)(OfxPropertySetHandle, const char *name, int index, double value);
    OfxStatus (*propSetInt)(OfxPropertySetHandle, const char *name, int index, int value);
    OfxStatus (*propSetPointerN)(OfxPropertySetHandle, const char *name, int count, void *const *values);
    OfxStatus (*propSetStringN)(OfxPropertySetHandle, const char *name, int count, const char *const *values);
    OfxStatus (*propSetDoubleN)(OfxPropertySetHandle, const char *name, int count, const double *values);
    OfxStatus (*propSetIntN)(OfxPropertySetHandle, const char *name, int count, const int *values);
    OfxStatus (*propGetPointer)(OfxPropertySetHandle, const char *name, int index, void **value);
    OfxStatus (*propGetString)(OfxPropertySetHandle, const char *name, int index, char **value);
    OfxStatus (*propGetDouble)(OfxPropertySetHandle, const char *name, int index, double *value);
    OfxStatus (*propGetInt)(OfxPropertySetHandle, const char *name, int index, int *value);
    OfxStatus (*propGetPointerN)(OfxPropertySetHandle, const char *name, int count, void **values);
    OfxStatus (*propGetStringN)(OfxPropertySetHandle, const char *name, int count, char **values);
    OfxStatus (*propGetDoubleN)(OfxPropertySetHandle, const char *name, int count, double *values);
    OfxStatus (*propGetIntN)(OfxPropertySetHandle, const char *name, int count, int *values);
    OfxStatus (*propReset)(OfxPropertySetHandle, const char *name);
    OfxStatus (*propGetDimension)(OfxPropertySetHandle, const char *name, int *count);
};

struct OfxImageEffectSuiteV1 {
    OfxStatus (*getPropertySet)(OfxImageEffectHandle, OfxPropertySetHandle *properties);
    OfxStatus (*getParamSet)(OfxImageEffectHandle, OfxParamSetHandle *parameters);
    OfxStatus (*clipDefine)(OfxImageEffectHandle, const char *name, OfxPropertySetHandle *properties);
    OfxStatus (*clipGetHandle)(OfxImageEffectHandle, const char *name, OfxImageClipHandle *clip,
                               OfxPropertySetHandle *properties);
    OfxStatus (*clipGetPropertySet)(OfxImageClipHandle, OfxPropertySetHandle *properties);
    OfxStatus (*clipGetImage)(OfxImageClipHandle, OfxTime, const OfxRectD *region, OfxPropertySetHandle *image);
    OfxStatus (*clipReleaseImage)(OfxPropertySetHandle image);
    OfxStatus (*clipGetRegionOfDefinition)(OfxImageClipHandle, OfxTime, OfxRectD *bounds);
    int (*abort)(OfxImageEffectHandle);
    OfxStatus (*imageMemoryAlloc)(OfxImageEffectHandle, size_t bytes, OfxImageMemoryHandle *memory);
    OfxStatus (*imageMemoryFree)(OfxImageMemoryHandle);
    OfxStatus (*imageMemoryLock)(OfxImageMemoryHandle, void **address);
    OfxStatus (*imageMemoryUnlock)(OfxImageMemoryHandle);
};

struct OfxParameterSuiteV1 {
    OfxStatus (*paramDefine)(OfxParamSetHandle, const char *type, const char *name, OfxPropertySetHandle *properties);
    OfxStatus (*paramGetHandle)(OfxParamSetHandle, const char *name, OfxParamHandle *, OfxPropertySetHandle *properties);
    OfxStatus (*paramSetGetPropertySet)(OfxParamSetHandle, OfxPropertySetHandle *properties);
    OfxStatus (*paramGetPropertySet)(OfxParamHandle, OfxPropertySetHandle *properties);
    OfxStatus (*paramGetValue)(OfxParamHandle, ...);
    OfxStatus (*paramGetValueAtTime)(OfxParamHandle, OfxTime, ...);
    OfxStatus (*paramGetDerivative)(OfxParamHandle, OfxTime, ...);
    OfxStatus (*paramGetIntegral)(OfxParamHandle, OfxTime, OfxTime, ...);
    OfxStatus (*paramSetValue)(OfxParamHandle, ...);
    OfxStatus (*paramSetValueAtTime)(OfxParamHandle, OfxTime, ...);
    OfxStatus (*paramGetNumKeys)(OfxParamHandle, unsigned int *count);
    OfxStatus (*paramGetKeyTime)(OfxParamHandle, unsigned int key, OfxTime *);
    OfxStatus (*paramGetKeyIndex)(OfxParamHandle, OfxTime, int direction, int *index);
    OfxStatus (*paramDeleteKey)(OfxParamHandle, OfxTime);
    OfxStatus (*paramDeleteAllKeys)(OfxParamHandle);
    OfxStatus (*paramCopy)(OfxParamHandle to, OfxParamHandle from, OfxTime offset, const OfxRangeD *range);
    OfxStatus (*paramEditBegin)(OfxParamSetHandle, const char *label);
    OfxStatus (*paramEditEnd)(OfxParamSetHandle);
};

struct OfxMessageSuiteV1 {
    OfxStatus (*message)(void *handle, const char *type, const char *id, const char *format, ...);
};

struct OfxMessageSuiteV2 {
    OfxStatus (*message)(void *handle, const char *type, const char *id, const char *format, ...);
    OfxStatus (*setPersistentMessage)(void *handle, const char *type, const char *id, const char *format, ...);
    OfxStatus (*clearPersistentMessage)(void *handle);
};

struct OfxProgressSuiteV1 {
    OfxStatus (*progressStart)(void *effect, const char *label);
    OfxStatus (*progressUpdate)(void *effect, double share);
    OfxStatus (*progressEnd)(void *effect);
};

struct OfxProgressSuiteV2 {
    OfxStatus (*progressStart)(void *effect, const char *message, const char *id);
    OfxStatus (*progressUpdate)(void *effect, double share);
    OfxStatus (*progressEnd)(void *effect);
};

}  // extern "C"

namespace filmrestore::abi {

constexpr std::size_t slots(std::size_t bytes) { return bytes / sizeof(void (*)()); }

static_assert(sizeof(void *) == 8 && sizeof(int) == 4 && sizeof(double) == 8, "a 64-bit host is expected");
static_assert(sizeof(OfxRectI) == 16 && sizeof(OfxRectD) == 32 && sizeof(OfxRangeD) == 16);
static_assert(sizeof(OfxHost) == 16 && offsetof(OfxHost, fetchSuite) == 8);
static_assert(sizeof(OfxPlugin) == 48 && offsetof(OfxPlugin, pluginIdentifier) == 16 &&
              offsetof(OfxPlugin, pluginVersionMajor) == 24 && offsetof(OfxPlugin, setHost) == 32);
static_assert(slots(sizeof(OfxPropertySuiteV1)) == 18 && offsetof(OfxPropertySuiteV1, propGetPointer) == 8 * 8 &&
              offsetof(OfxPropertySuiteV1, propGetDimension) == 17 * 8);
static_assert(slots(sizeof(OfxImageEffectSuiteV1)) == 13 && offsetof(OfxImageEffectSuiteV1, clipGetImage) == 5 * 8 &&
              offsetof(OfxImageEffectSuiteV1, abort) == 8 * 8);
static_assert(slots(sizeof(OfxParameterSuiteV1)) == 18 && offsetof(OfxParameterSuiteV1, paramGetValueAtTime) == 5 * 8 &&
              offsetof(OfxParameterSuiteV1, paramSetValue) == 8 * 8 && offsetof(OfxParameterSuiteV1, paramCopy) == 15 * 8);
static_assert(slots(sizeof(OfxMessageSuiteV1)) == 1 && slots(sizeof(OfxMessageSuiteV2)) == 3);
static_assert(slots(sizeof(OfxProgressSuiteV1)) == 3 && slots(sizeof(OfxProgressSuiteV2)) == 3);

}  // namespace filmrestore::abi

// Values of the standard's macros; those marked * differ from what their name says.
namespace filmrestore::ofx {

enum : OfxStatus {
    ok = 0,
    failed = 1,
    fatal = 2,
    missing_host_feature = 4,
    unsupported = 5,
    out_of_memory = 8,
    bad_handle = 9,
    reply_no = 13,
    reply_default = 14,
};

constexpr char plugin_api[] = "OfxImageEffectPluginAPI";  // *

constexpr char property_suite[] = "OfxPropertySuite";
constexpr char effect_suite[] = "OfxImageEffectSuite";
constexpr char parameter_suite[] = "OfxParameterSuite";
constexpr char message_suite[] = "OfxMessageSuite";
constexpr char progress_suite[] = "OfxProgressSuite";

constexpr char action_load[] = "OfxActionLoad";
constexpr char action_unload[] = "OfxActionUnload";
constexpr char action_describe[] = "OfxActionDescribe";
constexpr char action_describe_in_context[] = "OfxImageEffectActionDescribeInContext";
constexpr char action_create[] = "OfxActionCreateInstance";
constexpr char action_destroy[] = "OfxActionDestroyInstance";
constexpr char action_changed[] = "OfxActionInstanceChanged";
constexpr char action_clip_preferences[] = "OfxImageEffectActionGetClipPreferences";
constexpr char action_region_of_definition[] = "OfxImageEffectActionGetRegionOfDefinition";
constexpr char action_regions_of_interest[] = "OfxImageEffectActionGetRegionsOfInterest";
constexpr char action_frames_needed[] = "OfxImageEffectActionGetFramesNeeded";
constexpr char action_is_identity[] = "OfxImageEffectActionIsIdentity";
constexpr char action_begin_sequence[] = "OfxImageEffectActionBeginSequenceRender";
constexpr char action_end_sequence[] = "OfxImageEffectActionEndSequenceRender";
constexpr char action_render[] = "OfxImageEffectActionRender";

constexpr char context_filter[] = "OfxImageEffectContextFilter";
constexpr char context_general[] = "OfxImageEffectContextGeneral";
constexpr char source_clip[] = "Source";
constexpr char output_clip[] = "Output";

constexpr char name[] = "OfxPropName";
constexpr char label[] = "OfxPropLabel";
constexpr char version[] = "OfxPropVersion";
constexpr char version_label[] = "OfxPropVersionLabel";
constexpr char description[] = "OfxPropPluginDescription";
constexpr char time[] = "OfxPropTime";
constexpr char change_reason[] = "OfxPropChangeReason";
constexpr char changed_by_user[] = "OfxChangeUserEdited";
constexpr char type[] = "OfxPropType";
constexpr char instance_data[] = "OfxPropInstanceData";
constexpr char file_path[] = "OfxPluginPropFilePath";

constexpr char grouping[] = "OfxImageEffectPluginPropGrouping";
constexpr char supported_contexts[] = "OfxImageEffectPropSupportedContexts";
constexpr char supported_depths[] = "OfxImageEffectPropSupportedPixelDepths";
constexpr char supported_components[] = "OfxImageEffectPropSupportedComponents";
constexpr char multi_resolution[] = "OfxImageEffectPropSupportsMultiResolution";
constexpr char supports_tiles[] = "OfxImageEffectPropSupportsTiles";
constexpr char temporal_access[] = "OfxImageEffectPropTemporalClipAccess";
constexpr char multiple_depths[] = "OfxImageEffectPropMultipleClipDepths";  // *
constexpr char multiple_aspects[] = "OfxImageEffectPropSupportsMultipleClipPARs";
constexpr char single_instance[] = "OfxImageEffectPluginPropSingleInstance";
constexpr char thread_safety[] = "OfxImageEffectPluginRenderThreadSafety";
constexpr char instance_safe[] = "OfxImageEffectRenderInstanceSafe";
constexpr char frame_threading[] = "OfxImageEffectPluginPropHostFrameThreading";
constexpr char no_spatial_awareness[] = "OfxImageEffectPropNoSpatialAwareness";
constexpr char is_background[] = "OfxImageEffectHostPropIsBackground";
constexpr char context[] = "OfxImageEffectPropContext";

constexpr char optional[] = "OfxImageClipPropOptional";
constexpr char is_mask[] = "OfxImageClipPropIsMask";
constexpr char connected[] = "OfxImageClipPropConnected";
constexpr char colourspace[] = "OfxImageClipPropColourspace";
constexpr char frame_range[] = "OfxImageEffectPropFrameRange";
constexpr char frame_varying[] = "OfxImageEffectFrameVarying";
constexpr char clip_frame_range[] = "OfxImageClipPropFrameRange_";  // with the clip's name
constexpr char clip_region_of_interest[] = "OfxImageClipPropRoI_";
constexpr char clip_depth[] = "OfxImageClipPropDepth_";

constexpr char pixel_depth[] = "OfxImageEffectPropPixelDepth";
constexpr char components[] = "OfxImageEffectPropComponents";
constexpr char depth_float[] = "OfxBitDepthFloat";
constexpr char rgba[] = "OfxImageComponentRGBA";
constexpr char rgb[] = "OfxImageComponentRGB";
constexpr char alpha[] = "OfxImageComponentAlpha";
constexpr char data[] = "OfxImagePropData";
constexpr char bounds[] = "OfxImagePropBounds";
constexpr char row_bytes[] = "OfxImagePropRowBytes";
constexpr char unique_identifier[] = "OfxImagePropUniqueIdentifier";
constexpr char render_window[] = "OfxImageEffectPropRenderWindow";
constexpr char render_scale[] = "OfxImageEffectPropRenderScale";
constexpr char region_of_definition[] = "OfxImageEffectPropRegionOfDefinition";
constexpr char thumbnail_render[] = "OfxImageEffectPropThumbnailRender";

constexpr char param_double[] = "OfxParamTypeDouble";
constexpr char param_int[] = "OfxParamTypeInteger";
constexpr char param_bool[] = "OfxParamTypeBoolean";
constexpr char param_choice[] = "OfxParamTypeChoice";
constexpr char param_string[] = "OfxParamTypeString";
constexpr char param_group[] = "OfxParamTypeGroup";
constexpr char param_page[] = "OfxParamTypePage";
constexpr char param_default[] = "OfxParamPropDefault";
constexpr char param_min[] = "OfxParamPropMin";
constexpr char param_max[] = "OfxParamPropMax";
constexpr char param_display_min[] = "OfxParamPropDisplayMin";
constexpr char param_display_max[] = "OfxParamPropDisplayMax";
constexpr char param_hint[] = "OfxParamPropHint";
constexpr char param_parent[] = "OfxParamPropParent";
constexpr char param_option[] = "OfxParamPropChoiceOption";
constexpr char param_animates[] = "OfxParamPropAnimates";
constexpr char param_string_mode[] = "OfxParamPropStringMode";
constexpr char param_file_mode[] = "OfxParamStringIsFilePath";
constexpr char param_file_exists[] = "OfxParamPropStringFilePathExists";
constexpr char param_evaluate[] = "OfxParamPropEvaluateOnChange";
constexpr char param_group_open[] = "OfxParamPropGroupOpen";
constexpr char param_script_name[] = "OfxParamPropScriptName";
constexpr char param_page_child[] = "OfxParamPropPageChild";

constexpr char message_error[] = "OfxMessageError";
constexpr char message_warning[] = "OfxMessageWarning";

}  // namespace filmrestore::ofx
