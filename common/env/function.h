// UniqueFunction: a move-only std::function. Callables of up to 56 bytes that can be moved without
// throwing are held in place, so that posting one to a loop takes no memory.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "common/base/check.h"

namespace borealis::env {

template <typename Signature>
class UniqueFunction;

template <typename R, typename... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() = default;
  UniqueFunction(std::nullptr_t) {}  // NOLINT: implicit by design

  template <typename F, typename D = std::decay_t<F>,
            typename = std::enable_if_t<!std::is_same_v<D, UniqueFunction> &&
                                        std::is_invocable_r_v<R, D&, Args...>>>
  UniqueFunction(F&& f) {  // NOLINT: implicit by design
    if constexpr (kFits<D>) {
      new (storage_) D(std::forward<F>(f));
      operations_ = &kInline<D>;
    } else {
      new (storage_) D*(new D(std::forward<F>(f)));
      operations_ = &kHeap<D>;
    }
  }

  UniqueFunction(UniqueFunction&& other) noexcept { MoveFrom(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      Reset();
      MoveFrom(other);
    }
    return *this;
  }
  ~UniqueFunction() { Reset(); }

  explicit operator bool() const { return operations_ != nullptr; }

  // Requires a callable.
  R operator()(Args... args) {
    BOREALIS_CHECK(operations_ != nullptr);
    return operations_->call(storage_, std::forward<Args>(args)...);
  }

 private:
  static constexpr size_t kInlineBytes = 56;
  template <typename D>
  static constexpr bool kFits =
      sizeof(D) <= kInlineBytes &&
      alignof(D) <= alignof(void*) && std::is_nothrow_move_constructible_v<D>;

  struct Operations {
    R (*call)(void* storage, Args&&... args);
    void (*move)(void* from, void* to) noexcept;  // leaves `from` destroyed
    void (*destroy)(void* storage) noexcept;
  };

  template <typename D>
  static constexpr Operations kInline = {
      [](void* s, Args&&... args) -> R {
        return static_cast<R>((*static_cast<D*>(s))(std::forward<Args>(args)...));
      },
      [](void* from, void* to) noexcept {
        new (to) D(std::move(*static_cast<D*>(from)));
        static_cast<D*>(from)->~D();
      },
      [](void* s) noexcept { static_cast<D*>(s)->~D(); }};

  template <typename D>
  static constexpr Operations kHeap = {
      [](void* s, Args&&... args) -> R {
        return static_cast<R>((**static_cast<D**>(s))(std::forward<Args>(args)...));
      },
      [](void* from, void* to) noexcept { new (to) D*(*static_cast<D**>(from)); },
      [](void* s) noexcept { delete *static_cast<D**>(s); }};

  void MoveFrom(UniqueFunction& other) noexcept {
    operations_ = std::exchange(other.operations_, nullptr);
    if (operations_ != nullptr) operations_->move(other.storage_, storage_);
  }
  void Reset() noexcept {
    if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(storage_);
  }

  const Operations* operations_ = nullptr;
  alignas(void*) unsigned char storage_[kInlineBytes];
};

using Task = UniqueFunction<void()>;

}  // namespace borealis::env
