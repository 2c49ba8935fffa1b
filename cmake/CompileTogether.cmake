# With CMAKE_UNITY_BUILD, as the presets have it, the sources of a room are compiled some at a time: most of the time of a file goes into
# templates of LibTorch, which are then instantiated once for all of them. So a name in an anonymous namespace is unique in its room.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)

# The sources of several folders, each of which is a room.
function(actswap_compile_rooms_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
  foreach(source IN LISTS ARGN)
    file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${source})
    get_filename_component(room ${path} DIRECTORY)
    string(REPLACE "/" "_" room ${room})
    if(NOT DEFINED count_${room})
      set(count_${room} 0)
    endif()
    math(EXPR part "${count_${room}} / ${CMAKE_UNITY_BUILD_BATCH_SIZE}")
    math(EXPR count_${room} "${count_${room}} + 1")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${room}_${part})
  endforeach()
endfunction()
